"""Contracts over numpy arrays: every point of a grid at once, without any foreign code."""

from stratlab.contract.vectorised.screen import GridResult, screen_grid
from stratlab.contract.vectorised.signals import RuleSignals, signals

__all__ = ["GridResult", "RuleSignals", "screen_grid", "signals"]
