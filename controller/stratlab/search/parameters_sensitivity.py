"""What happens around a point: each parameter, and each pair, moved a little either way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, final

from stratlab.contract.space import point_key
from stratlab.domain.errors import InvalidParametersError
from stratlab.evaluation.judgement import aggregate
from stratlab.search.parameters import ScoredPoint
from stratlab.search.parameters_objective import GridJudge, World, judge_grid

if TYPE_CHECKING:
    from stratlab.contract.model import OptParam, StrategyContract
    from stratlab.domain.trial import Parameters

RELATIVE_MOVE = 0.1
"""Each parameter is moved by this fraction of itself, and by one step of its grid, either way."""

MAX_PAIRED = 12
"""Parameters that are moved in pairs too; of contracts with more, each is moved alone."""

_CHUNK = 256
_DECIMALS = 10


@final
@dataclass(frozen=True, slots=True)
class HeatMap:
    """Annual Sharpe ratios with one parameter, or two, moved and all others at the centre.

    Attributes:
        row, column: Names; no column for a single parameter.
        row_values, column_values: Ascending; the centre's value is among them. One column of no
            meaning for a single parameter.
        sharpe_ratios: By row, then column; None where it is undefined.
    """

    row: str
    row_values: tuple[int | float, ...]
    sharpe_ratios: tuple[tuple[float | None, ...], ...]
    column: str = ""
    column_values: tuple[int | float, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How much of a strategy's result depends on its exact parameters.

    Attributes:
        parameters: The centre.
        sharpe_ratio: Annual, of the centre; None where it is undefined.
        mean_change: The one number: mean annual Sharpe ratio of all points around the centre,
            minus the centre's. Near zero on a plateau; far below zero on a lonely peak.
        worst_change: The same of the worst point around.
        maps: One for each pair of parameters, or for each alone (:data:`MAX_PAIRED`).
        points: All that was judged, the centre first, with annual Sharpe ratios as scores.
    """

    parameters: "Parameters"
    sharpe_ratio: float | None
    mean_change: float | None
    worst_change: float | None
    maps: tuple[HeatMap, ...]
    points: tuple[ScoredPoint, ...]


def measure_sensitivity(
    contract: "StrategyContract",
    worlds: Sequence[World],
    centre: "Parameters | None" = None,
    judge: GridJudge = judge_grid,
) -> Sensitivity:
    """Judge the points around one; no value leaves its parameter's bounds, none comes twice.

    Args:
        contract: Its enabled parameters are moved.
        worlds: Market sets; their Sharpe ratios are averaged.
        centre: Where to stand; None for the contract's own values.
        judge: Computes the metrics.

    Raises:
        InvalidParametersError: The centre has other parameters than the contract.
        InvalidContractError: The contract uses what the evaluator does not know.
    """
    middle = dict(contract.parameters if centre is None else centre)
    if middle.keys() != contract.optimization_space.keys():
        raise InvalidParametersError(
            f"the point has the parameters {', '.join(sorted(middle)) or 'none'}, the contract "
            f"{', '.join(sorted(contract.optimization_space)) or 'none'}"
        )
    values = {
        name: moves(space, middle[name])
        for name, space in sorted(contract.optimization_space.items())
        if space.enabled
    }
    moved = {name: found for name, found in values.items() if len(found) > 1}
    pairs = list(combinations(moved, 2)) if len(moved) <= MAX_PAIRED else []
    pairs = pairs or [(name, "") for name in moved]
    points = {point_key(middle): middle}
    for row, column in pairs:
        for row_value in moved[row]:
            for column_value in moved.get(column, (0,)):
                point = _moved(middle, row, row_value, column, column_value)
                points.setdefault(point_key(point), point)
    found = _judged(contract, worlds, list(points.values()), judge)
    sharpes = dict(zip(points, found, strict=True))
    base, *around = found
    changes = [sharpe - base for sharpe in around if sharpe is not None and base is not None]
    return Sensitivity(
        parameters=middle,
        sharpe_ratio=base,
        mean_change=sum(changes) / len(changes) if changes else None,
        worst_change=min(changes, default=None),
        maps=tuple(_heat_map(middle, moved, row, column, sharpes) for row, column in pairs),
        points=tuple(
            ScoredPoint(point, sharpe) for point, sharpe in zip(points.values(), found, strict=True)
        ),
    )


def moves(space: "OptParam", value: float) -> tuple[int | float, ...]:
    """Return a parameter's value with those around it, ascending and inside its bounds.

    One step and a tenth of the value either way; whole numbers stay whole.
    """
    tenth = abs(value) * RELATIVE_MOVE
    wanted = (value, value - space.step, value + space.step, value - tenth, value + tenth)
    tidy = (round(number) if space.kind == "int" else round(number, _DECIMALS) for number in wanted)
    return tuple(sorted({number for number in tidy if space.min <= number <= space.max} | {value}))


def _moved(
    middle: Mapping[str, int | float],
    row: str,
    row_value: float,
    column: str,
    column_value: float,
) -> dict[str, int | float]:
    return {**middle, row: row_value, **({column: column_value} if column else {})}


def _judged(
    contract: "StrategyContract",
    worlds: Sequence[World],
    points: Sequence["Parameters"],
    judge: GridJudge,
) -> list[float | None]:
    found: list[float | None] = []
    # Memory grows with points times bars, so many are judged in turns.
    for start in range(0, len(points), _CHUNK):
        chunk = points[start : start + _CHUNK]
        by_world = [judge(contract, world, chunk) for world in worlds]
        together = [aggregate(metrics) for metrics in zip(*by_world, strict=True)]
        found += [metrics.sharpe_ratio if metrics else None for metrics in together]
    return found


def _heat_map(
    middle: Mapping[str, int | float],
    moved: Mapping[str, tuple[int | float, ...]],
    row: str,
    column: str,
    sharpes: Mapping[frozenset[tuple[str, int | float]], float | None],
) -> HeatMap:
    return HeatMap(
        row=row,
        row_values=moved[row],
        column=column,
        column_values=moved.get(column, ()),
        sharpe_ratios=tuple(
            tuple(
                sharpes[point_key(_moved(middle, row, row_value, column, column_value))]
                for column_value in moved.get(column, (0,))
            )
            for row_value in moved[row]
        ),
    )
