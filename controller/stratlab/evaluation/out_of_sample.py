"""Puts the pieces of a walk-forward together: one curve, and how it compares with in sample."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.robustness import Performance
from stratlab.domain.trial import EquityPoint
from stratlab.evaluation.selection import PointReturns, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stitched(
    parts: "Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]",
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the daily returns of consecutive parts, and those of their benchmarks.

    Every part begins with cash, so that its first return is that of its own first session.
    """
    own, held = zip(*parts, strict=True)
    return np.concatenate(own), np.concatenate(held)


def curve(
    bars: Sequence[int], returns: "NDArray[np.float64]", capital: float
) -> tuple[EquityPoint, ...]:
    """Return the equity that daily returns make of a capital, one point a session.

    Args:
        bars: Label of each session's last bar.
        returns: Of the same sessions.
        capital: Before the first of them.
    """
    values = capital * np.cumprod(1.0 + returns)
    return tuple(map(EquityPoint, bars, values.tolist()))


def trained(
    table: PointReturns, windows: Sequence[tuple[int, Sequence[range]]]
) -> "NDArray[np.float64]":
    """Return the returns over the benchmark in sample, of every session that was trained on.

    Train windows overlap: a session that several of them hold counts once, with the mean of what
    their points earned on it.

    Args:
        table: What points earned.
        windows: The chosen point of each train window, and its sessions.
    """
    total, count = (np.zeros(len(table.benchmark)) for _ in range(2))
    for place, sessions in windows:
        rows = rows_of(sessions)
        total[rows] += table.returns[place, rows]
        count[rows] += 1
    held = count > 0
    return total[held] / count[held] - table.benchmark[held]


def efficiency(out_of_sample: Performance, in_sample: Sequence[Performance]) -> float | None:
    """Return the annual return out of sample over the mean of those in sample.

    None where the latter is not positive, for then the quotient has no meaning.

    Source: R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2008, chapter 11.
    """
    returns = [each.annual_return for each in in_sample]
    known = [each for each in returns if each is not None]
    if out_of_sample.annual_return is None or not known or len(known) < len(returns):
        return None
    mean = sum(known) / len(known)
    return out_of_sample.annual_return / mean if mean > 0 else None
