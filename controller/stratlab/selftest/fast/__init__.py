"""Whole campaigns in memory: contracts traded by the numpy evaluator instead of in containers."""
