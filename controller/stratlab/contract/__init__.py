"""The strategy contract: its model, its rule language, and what it compiles to."""
