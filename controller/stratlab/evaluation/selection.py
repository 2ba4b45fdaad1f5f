"""Chooses among parameter points by what they earned on some sessions, and on no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.domain.trial import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray


@final
@dataclass(frozen=True, slots=True)
class PointReturns:
    """What every point of a strategy earned on every session, in one run over all of them.

    Attributes:
        points: To choose among.
        returns: Daily returns, shape (points, sessions); NaN throughout for a point that was
            stopped or wiped out.
        benchmark: Daily returns of the campaign's benchmark, shape (sessions,).
        sessions_per_year: What daily returns are annualised with.
    """

    points: tuple[Parameters, ...]
    returns: "NDArray[np.float64]"
    benchmark: "NDArray[np.float64]"
    sessions_per_year: int

    def best(self, sessions: Sequence[range]) -> int | None:
        """Return which point has the highest Sharpe ratio over the benchmark on some sessions.

        Of equals the first one, None when no point has a Sharpe ratio there.

        Args:
            sessions: The only ones that are looked at.
        """
        rows = rows_of(sessions)
        excess = self.returns[:, rows] - self.benchmark[rows]
        with np.errstate(all="ignore"):
            ratios = excess.mean(axis=1) / excess.std(axis=1)
        ratios[~np.isfinite(ratios)] = -np.inf
        chosen = int(ratios.argmax())
        return chosen if np.isfinite(ratios[chosen]) else None


def rows_of(sessions: Sequence[range]) -> "NDArray[np.intp]":
    """Return the positions of some sessions, ascending, shape (sessions,)."""
    return np.concatenate([np.arange(part.start, part.stop) for part in sessions])
