"""The vocabulary of the lab: pure types, no input or output."""
