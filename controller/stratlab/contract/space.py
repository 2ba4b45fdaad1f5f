"""The optimization space of a contract as a grid: counting, numbering and choosing its points."""

import math
from collections.abc import Collection, Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.domain.errors import InvalidContractError, InvalidParametersError

if TYPE_CHECKING:
    from stratlab.contract.model import OptParam, StrategyContract
    from stratlab.domain.trial import Parameters

_DECIMALS = 10


@final
class Grid:
    """All points of a contract's space: enabled parameters on their steps, others at their value.

    Args:
        contract: The contract.
    """

    def __init__(self, contract: "StrategyContract") -> None:
        self.axes = {
            name: Axis(space) for name, space in sorted(contract.optimization_space.items())
        }

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(axis.count for axis in self.axes.values())

    def point(self, number: int) -> dict[str, int | float]:
        """Return the point with a number from 0 to ``size - 1``."""
        values = {}
        for name, axis in self.axes.items():
            number, place = divmod(number, axis.count)
            values[name] = axis.value(place)
        return values

    def untried(
        self, random: Random, tried: Collection[frozenset[tuple[str, int | float]]]
    ) -> Iterator[dict[str, int | float]]:
        """Yield every point that was not tried, from a random one on, each once."""
        start = random.randrange(self.size)
        for step in range(self.size):
            values = self.point((start + step) % self.size)
            if point_key(values) not in tried:
                yield values


@final
class Axis:
    """One parameter's values: its steps from ``min`` on, or its value alone when disabled.

    Args:
        space: The parameter.
    """

    def __init__(self, space: "OptParam") -> None:
        self._space = space
        steps = math.floor((space.max - space.min) / space.step + 1e-9)
        self.count = steps + 1 if space.enabled else 1

    def value(self, place: int) -> int | float:
        """Return the value at a place from 0 to ``count - 1``."""
        space = self._space
        return round(space.min + place * space.step, _DECIMALS) if space.enabled else space.value

    def nearest(self, value: float) -> int:
        """Return the place of the value that is nearest to a number."""
        place = round((value - self._space.min) / self._space.step)
        return min(max(place, 0), self.count - 1)


def point_key(parameters: "Parameters") -> frozenset[tuple[str, int | float]]:
    """Return a point in a form that can be looked up."""
    return frozenset(parameters.items())


def with_values(contract: "StrategyContract", parameters: "Parameters") -> "StrategyContract":
    """Return the contract with other default values.

    Raises:
        InvalidParametersError: A name is unknown or a value out of bounds or of the wrong kind.
    """
    document = contract.model_dump(mode="json")
    space = document["optimization_space"]
    for name, value in parameters.items():
        if name not in space:
            raise InvalidParametersError(f"unknown parameter {name!r}; known: {_names(space)}")
        space[name]["value"] = value
    return _reloaded(document)


def with_bounds(
    contract: "StrategyContract", bounds: Mapping[str, tuple[float, float, float]]
) -> "StrategyContract":
    """Return the contract with other bounds for the parameters it has.

    Default values outside of them move to the nearest point of the new grid.

    Args:
        contract: The contract.
        bounds: Name -> (min, max, step); names that the contract lacks are ignored.

    Raises:
        InvalidParametersError: A bound is not allowed where the parameter is used.
    """
    document = contract.model_dump(mode="json")
    for name, space in document["optimization_space"].items():
        if name not in bounds:
            continue
        low, high, step = bounds[name]
        if not (math.isfinite(low) and low <= high < math.inf and 0 < step < math.inf):
            raise InvalidParametersError(
                f"the range of {name!r} is not min <= max with a step above 0: {bounds[name]}"
            )
        places = math.floor((high - low) / step + 1e-9)
        place = min(max(round((space["value"] - low) / step), 0), places)
        value = round(low + place * step, _DECIMALS)
        space |= {"min": low, "max": high, "step": step, "value": value}
    return _reloaded(document)


def _reloaded(document: dict[str, object]) -> "StrategyContract":
    try:
        return load_contract(document)
    except InvalidContractError as error:
        raise InvalidParametersError(error.message) from None


def _names(space: Mapping[str, object]) -> str:
    return ", ".join(sorted(space)) or "none"
