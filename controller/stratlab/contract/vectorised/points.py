"""Parameter points as columns."""

from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.indicators import REGISTRY
from stratlab.domain.errors import InvalidParametersError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stratlab.contract.lowering import Lookback, LoweredContract, Stream
    from stratlab.contract.model import Indicator, StrategyContract
    from stratlab.contract.vectorised.arrays import Numbers
    from stratlab.domain.trial import Parameters

    Column = NDArray[np.int64] | NDArray[np.float64]


_SLACK = 1e-9


@final
class Points:
    """Points of a contract's space, P of them; names that a point leaves out have their default.

    Args:
        contract: The contract.
        points: The points.

    Raises:
        InvalidParametersError: A name is unknown, or a value outside the bounds or of the wrong
            kind.
    """

    def __init__(self, contract: "StrategyContract", points: "Sequence[Parameters]") -> None:
        space = contract.optimization_space
        for name in {name for point in points for name in point} - set(space):
            known = ", ".join(sorted(space)) or "none"
            raise InvalidParametersError(f"unknown parameter {name!r}; known: {known}")
        self._count = len(points)
        self._columns: dict[str, Column] = {}
        for name, known_space in space.items():
            given = [point.get(name, known_space.value) for point in points]
            column = np.array(given, dtype=np.float64)
            whole = known_space.kind == "int"
            # A grid's own values are rounded to ten decimals, and may miss a bound by that much.
            low, high = known_space.min - _SLACK, known_space.max + _SLACK
            fits = (column >= low) & (column <= high)
            if whole:
                fits &= column == np.floor(column)
            if not fits.all():
                wrong = given[int(np.argmin(fits))]
                raise InvalidParametersError(
                    f"{name} = {wrong!r} is not among the "
                    f"{'whole numbers' if whole else 'numbers'} from {known_space.min} to "
                    f"{known_space.max}"
                )
            self._columns[name] = column.astype(np.int64) if whole else column

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> "Column":
        return self._columns[name]

    def resolved(self, value: float | str) -> "Column":
        """Return a number of the contract, or what ``$name`` stands for, at each point."""
        return self[value[1:]] if isinstance(value, str) else np.full(self._count, value)

    def lookback(self, lookback: "Lookback") -> "Numbers":
        """Return a number of bars at each point."""
        bars = np.full(self._count, lookback.bars, dtype=np.intp)
        for name in lookback.parameters:
            bars += self[name].astype(np.intp)
        return bars

    def warm_ups(self, lowered: "LoweredContract") -> "Numbers":
        """Return W of each point: own bars before the first one at which rules are evaluated."""
        first = {stream.name: self._firsts(stream.indicator) for stream in lowered.streams}
        longest = np.zeros(self._count, dtype=np.intp)
        for name, lookbacks in lowered.warm_up.items():
            for lookback in lookbacks:
                own = first[name] if name else 0
                longest = np.maximum(longest, own + self.lookback(lookback))
        return longest

    def longer_warm_ups(self, streams: "Sequence[Stream]") -> "Numbers":
        """Return how many longer bars end before rules are evaluated; the first one is left out.

        Args:
            streams: All on bars of one longer timeframe.
        """
        firsts = [self._firsts(stream.indicator) for stream in streams]
        most: Numbers = np.maximum.reduce([np.zeros(self._count, dtype=np.intp), *firsts])
        return 1 + most

    def reach(self, lowered: "LoweredContract") -> int:
        """Return how many bars back rules read any series, at the farthest point."""
        return max(
            int(self.lookback(lookback).max(initial=0))
            for lookbacks in lowered.warm_up.values()
            for lookback in lookbacks
        )

    def _firsts(self, item: "Indicator") -> "Numbers":
        kind = REGISTRY[item.name]
        columns = [self.resolved(item.params[name]).tolist() for name in kind.parameters]
        known: dict[tuple[float, ...], int] = {}
        found = []
        for values in zip(*columns, strict=True):
            if values not in known:
                known[values] = kind.warm_up(dict(zip(kind.parameters, values, strict=True)))
            found.append(known[values])
        return np.array(found, dtype=np.intp)
