"""Searches the grid of a contract's parameters: optuna proposes, an objective judges.

Samplers see places on the axes of the grid, never values, so that nothing they propose can lie
outside of it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from random import Random
from typing import TYPE_CHECKING, final

from stratlab.contract.space import Grid, point_key
from stratlab.domain.search import Sampler

if TYPE_CHECKING:
    import optuna

    from stratlab.contract.model import StrategyContract
    from stratlab.domain.trial import Parameters

Objective = Callable[[Sequence["Parameters"]], Sequence[float | None]]
"""Judges points, the more the better; None where a figure is undefined."""

_Key = frozenset[tuple[str, int | float]]

BATCH = 32
"""Points that are judged together: the more, the faster, and the less a sampler learns."""

LEARNED = 256
"""Points that a sampler which learns proposes; what it costs grows with their square, so the
others are drawn at random."""

_GENERATION = 16  # of CMA-ES

# What samplers learn of a point without a figure; they look at ranks only.
_UNDEFINED = -1e6
# Proposals for each point wanted, before the rest is drawn at random: samplers repeat themselves.
_PATIENCE = 4


@final
@dataclass(frozen=True, slots=True)
class ScoredPoint:
    """A point and what an objective made of it, None where that is undefined."""

    parameters: "Parameters"
    score: float | None


def search_points(
    contract: "StrategyContract",
    objective: Objective,
    *,
    sampler: Sampler,
    count: int,
    seed: int,
    tried: Collection[_Key] = (),
) -> tuple[ScoredPoint, ...]:
    """Return up to ``count`` distinct points with their scores, in the order of proposal.

    The contract's own values come first, then points of its grid. A grid that has no more points
    than that is searched whole, whatever the sampler. Equal arguments give equal points.

    Args:
        contract: Whose space is searched.
        objective: Judges points; called with about :data:`BATCH` of them, or with all where no
            sampler has to learn.
        sampler: Who proposes points; of more than :data:`LEARNED` the first ones, unless it draws
            at random. A grid is thinned on every axis.
        count: How many points are wanted.
        seed: Of the proposals, from 0 to 2**32 - 1.
        tried: Points that are neither judged nor returned, as :func:`point_key` gives them.
    """
    search = _Search(Grid(contract), objective, set(tried))
    grid, own = search.grid, contract.parameters
    if grid.size <= count + len(search.closed):
        search.judge((own, *map(grid.point, range(grid.size))), count)
    else:
        if sampler is Sampler.GRID:
            search.judge((own, *_coarser(grid, count)), count)
        elif sampler is not Sampler.RANDOM:
            _ask(search, _study(sampler, seed), own, min(count, LEARNED), BATCH)
        # What does not learn has no need of turns.
        _ask(search, _study(Sampler.RANDOM, seed), own, count, count)
    missing = count - len(search.found)
    if missing > 0:
        random = Random(seed)  # noqa: S311 - not for secrets
        search.judge(islice(grid.untried(random, search.closed), missing), missing)
    return search.scored()


def best_points(points: Sequence[ScoredPoint], count: int) -> tuple["Parameters", ...]:
    """Return the best points, the best first; of equals the one proposed first.

    Points with the very same score have traded the same (a stop that was never touched may be
    anywhere), so that a second one comes behind all others.
    """
    ranked = sorted(points, key=_rank, reverse=True)
    first = {point.score: point for point in reversed(ranked)}
    repeated = [point for point in ranked if first[point.score] is not point]
    distinct = [point for point in ranked if first[point.score] is point]
    return tuple(point.parameters for point in (*distinct, *repeated)[:count])


def _rank(point: ScoredPoint) -> tuple[bool, float]:
    return (point.score is not None, point.score or 0.0)


@final
class _Search:
    # What was judged so far; `closed` is what must not be judged (again).
    def __init__(self, grid: Grid, objective: Objective, tried: set[_Key]) -> None:
        self.grid = grid
        self.found: dict[_Key, ScoredPoint] = {}
        self.closed = tried
        self._objective = objective

    def judge(self, points: Iterable["Parameters"], most: int) -> None:
        distinct = {point_key(point): point for point in points}
        left = ((key, point) for key, point in distinct.items() if key not in self.closed)
        new = dict(islice(left, most))
        if not new:
            return
        scores = self._objective(list(new.values()))
        for (key, point), score in zip(new.items(), scores, strict=True):
            self.found[key] = ScoredPoint(point, score)
        self.closed |= new.keys()

    def scored(self) -> tuple[ScoredPoint, ...]:
        return tuple(self.found.values())


def _ask(search: _Search, study: "optuna.Study", own: "Parameters", count: int, batch: int) -> None:
    import optuna  # noqa: PLC0415 - keeps start-up fast

    axes = {name: axis for name, axis in search.grid.axes.items() if axis.count > 1}
    space: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(0, axis.count - 1) for name, axis in axes.items()
    }
    # The contract's own values, at the nearest place of the grid.
    study.enqueue_trial({name: axis.nearest(own[name]) for name, axis in axes.items()})
    asked, patience = 0, _PATIENCE * count
    while len(search.found) < count and asked < patience:
        trials = [study.ask(space) for _ in range(min(batch, count - len(search.found)))]
        points: list[Parameters] = [_at(search.grid, trial.params) for trial in trials]
        if not asked:
            points[0] = own
        asked += len(trials)
        search.judge(points, count - len(search.found))
        for trial, point in zip(trials, points, strict=True):
            known = search.found.get(point_key(point))
            if known is None:
                # Of another iteration: nothing is known of it here.
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, _UNDEFINED if known.score is None else known.score)


def _coarser(grid: Grid, count: int) -> Iterator[dict[str, int | float]]:
    # A grid of at most so many points that spans the whole one evenly, in order.
    levels, size = dict.fromkeys(grid.axes, 1), 1
    while True:
        finer = [
            name
            for name, axis in grid.axes.items()
            if levels[name] < axis.count and size // levels[name] * (levels[name] + 1) <= count
        ]
        if not finer:
            break
        coarsest = max(finer, key=lambda name: grid.axes[name].count / levels[name])
        size = size // levels[coarsest] * (levels[coarsest] + 1)
        levels[coarsest] += 1
    spread = [_spread(axis.count, levels[name]) for name, axis in grid.axes.items()]
    for places in product(*spread):
        yield _at(grid, dict(zip(grid.axes, places, strict=True)))


def _spread(count: int, levels: int) -> list[int]:
    if levels == 1:
        return [count // 2]
    return [round(level * (count - 1) / (levels - 1)) for level in range(levels)]


def _at(grid: Grid, places: Mapping[str, int]) -> dict[str, int | float]:
    return {name: axis.value(places.get(name, 0)) for name, axis in grid.axes.items()}


def _study(sampler: Sampler, seed: int) -> "optuna.Study":
    import optuna  # noqa: PLC0415 - keeps start-up fast

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    samplers = optuna.samplers
    match sampler:
        case Sampler.CMAES:
            chosen: optuna.samplers.BaseSampler = samplers.CmaEsSampler(
                seed=seed, popsize=_GENERATION
            )
        case Sampler.RANDOM:
            chosen = samplers.RandomSampler(seed=seed)
        case _:
            chosen = samplers.TPESampler(seed=seed)
    # In memory: what must outlast the process is in the registry of points.
    storage = optuna.storages.InMemoryStorage()
    return optuna.create_study(storage=storage, sampler=chosen, direction="maximize")
