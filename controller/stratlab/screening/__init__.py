"""Screening: judges source before a container is started. Feedback, never the boundary."""

from stratlab.screening.screener import SubprocessScreener

__all__ = ["SubprocessScreener"]
