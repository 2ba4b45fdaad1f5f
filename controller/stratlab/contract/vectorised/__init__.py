"""Contracts over numpy arrays: every point of a grid at once, without any foreign code."""

from stratlab.contract.vectorised.screen import GridResult, screen_grid

__all__ = ["GridResult", "screen_grid"]
