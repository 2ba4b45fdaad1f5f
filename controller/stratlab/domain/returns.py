"""Returns of single periods in excess of the campaign's benchmark: what statistics are about."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

from stratlab.domain.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExcessReturns:
    """Returns of single periods of one strategy minus those of the campaign's benchmark.

    What every formula of single periods takes: neither raw returns nor an annual figure fit in
    its place.

    Attributes:
        values: Simple returns as fractions, shape (T,), finite, in the order of time.
        periods_per_year: What annual figures are scaled with: sessions of a year for daily returns.

    Raises:
        InvalidInputError: Not one series, not finite, or of no frequency.
    """

    values: "NDArray[np.float64]"
    periods_per_year: float

    def __post_init__(self) -> None:
        _require(self.values, 1, self.periods_per_year)

    @property
    def observations(self) -> int:
        """Number of returns, T."""
        return len(self.values)


@final
@dataclass(frozen=True, slots=True, eq=False)
class TrialReturns:
    """Excess returns of many trials over the same periods.

    Attributes:
        values: Simple returns as fractions, shape (T, N), finite, in the order of time.
        periods_per_year: What annual figures are scaled with.

    Raises:
        InvalidInputError: Not a table, not finite, or of no frequency.
    """

    values: "NDArray[np.float64]"
    periods_per_year: float

    def __post_init__(self) -> None:
        _require(self.values, 2, self.periods_per_year)

    @classmethod
    def of(cls, series: Sequence[ExcessReturns]) -> Self:
        """Return series as columns.

        Raises:
            InvalidInputError: There are none, or they are not over the same periods.
        """
        import numpy as np  # noqa: PLC0415 (keeps start-up fast)

        lengths = {(one.observations, one.periods_per_year) for one in series}
        if len(lengths) != 1:
            raise InvalidInputError("trials are compared over the same periods")
        return cls(np.stack([one.values for one in series], axis=1), series[0].periods_per_year)

    @property
    def observations(self) -> int:
        """Number of returns of each trial, T."""
        return int(self.values.shape[0])

    @property
    def trials(self) -> int:
        """Number of trials, N."""
        return int(self.values.shape[1])


def _require(values: "NDArray[np.float64]", dimensions: int, periods_per_year: float) -> None:
    if values.ndim != dimensions:
        raise InvalidInputError(f"excess returns have {dimensions} dimensions, not {values.ndim}")
    if not bool((abs(values) < math.inf).all()):
        raise InvalidInputError("excess returns are finite")
    if not 0 < periods_per_year < math.inf:
        raise InvalidInputError("a year has more than no periods")
