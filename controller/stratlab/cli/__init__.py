"""The command line: one module per noun; heavy imports happen inside the commands."""
