"""Seeded worlds of which it is known whether there is anything to be found in them."""

from stratlab.selftest.worlds.making import make_world
from stratlab.selftest.worlds.world import NULL_KINDS, PLANTED_KINDS, Recipe, World, WorldKind

__all__ = ["NULL_KINDS", "PLANTED_KINDS", "Recipe", "World", "WorldKind", "make_world"]
