"""Measures the lab on made-up worlds whose truth is known: noise, planted effects, traps."""
