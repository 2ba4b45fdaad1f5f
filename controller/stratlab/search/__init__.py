"""Searches by mutation: the factor graph of a contract, its operators, and evolution."""

from stratlab.search.evolution import FactorGraphGenerator

__all__ = ["FactorGraphGenerator"]
