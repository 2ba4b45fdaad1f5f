"""Makes excess returns from the equity of a trial and of its benchmark."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.trial import EquityPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray


def excess_returns(
    equity: Sequence[EquityPoint],
    benchmark_equity: Sequence[EquityPoint],
    capital: float,
    periods_per_year: float,
) -> ExcessReturns:
    """Return what a trial earned in each session over what its benchmark earned.

    The first return is against the starting capital. An account that was wiped out (equity at or
    below zero) earns nothing after that, so that it still counts among the trials, with its loss.

    Args:
        equity: Of the trial at the close of each session.
        benchmark_equity: Of the benchmark at the same closes.
        capital: Starting cash of both, above zero.
        periods_per_year: Sessions in a year of the data set's calendar.

    Raises:
        InvalidInputError: The two are not of the same sessions.
    """
    if [point.bar for point in equity] != [point.bar for point in benchmark_equity]:
        raise InvalidInputError("a trial and its benchmark have the same sessions")
    own, other = (
        simple_returns(np.array([point.value for point in points], dtype=np.float64), capital)
        for points in (equity, benchmark_equity)
    )
    return ExcessReturns(own - other, periods_per_year)


def simple_returns(equity: "NDArray[np.float64]", capital: float) -> "NDArray[np.float64]":
    """Return the simple return of each period; 0 after an account was wiped out.

    Args:
        equity: At the end of each period, shape (T,).
        capital: Before the first one, above zero.
    """
    before = np.concatenate(([capital], equity[:-1]))
    alive = np.logical_and.accumulate(before > 0)
    return np.where(alive, equity / np.where(alive, before, 1.0) - 1.0, 0.0)


def joined(*parts: ExcessReturns) -> ExcessReturns:
    """Return excess returns one after the other, those of train before those of validation.

    Raises:
        InvalidInputError: There are none, or they are of different frequencies.
    """
    frequencies = {part.periods_per_year for part in parts}
    if len(frequencies) != 1:
        raise InvalidInputError("returns that are joined have one frequency")
    return ExcessReturns(np.concatenate([part.values for part in parts]), frequencies.pop())
