"""Writes candidates: from templates, by varying their parameters, and as compiled source."""
