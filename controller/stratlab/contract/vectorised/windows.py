"""Windows over series for many lengths at once; what a longer one needs a shorter one has done."""

from typing import TYPE_CHECKING

import numpy as np

from stratlab.contract.semantics import EPSILON
from stratlab.contract.vectorised.means import add_exactly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratlab.contract.vectorised.arrays import Floats


def shifted(values: "Floats", bars: int) -> "Floats":
    """Return the values of ``bars`` bars before, along the last axis; NaN where there are none."""
    if bars == 0:
        return values
    moved = np.full_like(values, np.nan)
    moved[..., bars:] = values[..., : max(values.shape[-1] - bars, 0)]
    return moved


def means(values: "Floats", lengths: "Sequence[int]") -> dict[int, "Floats"]:
    """Return the simple mean of each length at every bar, summed exactly as ``fsum`` does."""
    found = {}
    total, error = np.zeros_like(values), np.zeros_like(values)
    with np.errstate(invalid="ignore"):
        for age in range(max(lengths)):
            add_exactly(total, error, shifted(values, age))
            if age + 1 in lengths:
                found[age + 1] = (total + error) / (age + 1)
    return found


def weighted_mean(values: "Floats", length: int) -> "Floats":
    """Return the mean with weights 1 (oldest) to ``length`` (newest) at every bar."""
    total, error = np.zeros_like(values), np.zeros_like(values)
    with np.errstate(invalid="ignore"):
        for age in range(length):
            add_exactly(total, error, (length - age) * shifted(values, age))
    return (total + error) / (length * (length + 1) / 2)


def deviation(values: "Floats", mean: "Floats", length: int) -> "Floats":
    """Return the population standard deviation around the given mean at every bar."""
    total, error = np.zeros_like(values), np.zeros_like(values)
    with np.errstate(invalid="ignore"):
        for age in range(length):
            add_exactly(total, error, (shifted(values, age) - mean) ** 2)
        return np.sqrt((total + error) / length)


def highest(values: "Floats", lengths: "Sequence[int]") -> dict[int, "Floats"]:
    """Return the greatest of the newest values for each length; NaN where one is undefined."""
    return dict(_extremes(np.maximum, values, lengths))


def lowest(values: "Floats", lengths: "Sequence[int]") -> dict[int, "Floats"]:
    """Return the least of the newest values for each length; NaN where one is undefined."""
    return dict(_extremes(np.minimum, values, lengths))


def _extremes(
    better: np.ufunc, values: "Floats", lengths: "Sequence[int]"
) -> "Iterator[tuple[int, Floats]]":
    # Two windows of half the length or more cover one of any length.
    covered, span = values, 1
    for length in sorted(set(lengths)):
        while 2 * span <= length:
            covered, span = better(covered, shifted(covered, span)), 2 * span
        yield length, better(covered, shifted(covered, length - span))


def trend(values: "Floats", length: int, sign: int) -> "Floats":
    """Return 1 where each of the newest values is beyond the one before it, 0 elsewhere.

    Args:
        values: Along the last axis.
        length: Number of steps.
        sign: 1 for rising, -1 for falling.

    Returns:
        NaN where one of the values is undefined.
    """
    holds = np.ones(values.shape, dtype=bool)
    defined = np.isfinite(values)
    newer = values
    for age in range(1, length + 1):
        older = shifted(values, age)
        with np.errstate(invalid="ignore"):
            step = newer - older if sign > 0 else older - newer
        holds &= step > EPSILON
        defined &= np.isfinite(older)
        newer = older
    return np.where(defined, holds, np.nan)
