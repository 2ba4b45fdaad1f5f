"""Puts a candidate's best point under stress: costs, delay, other values, other histories."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from stratlab.campaigns.robustness_ground import Ground, is_modelled, point_returns
from stratlab.campaigns.robustness_trials import Stretch, StretchTrials, Traded
from stratlab.contract.document import load_contract
from stratlab.contract.space import point_key
from stratlab.domain.errors import InvalidContractError, InvalidSpecError
from stratlab.domain.robustness import (
    CapacityLadder,
    CostLadder,
    Performance,
    Robustness,
    Rung,
    StressKind,
    StressTest,
)
from stratlab.domain.trial import Outcome, Parameters, TrialPurpose
from stratlab.search.parameters_sensitivity import moves

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.evaluation.stress import Book

JITTERED = 24
"""Points around the best one, each with every parameter moved a little or not at all."""

PATHS = 24
"""Made-up histories."""

VOLUME_SHARES = (1.0, 0.1, 0.01, 0.001, 0.0001)
"""Rungs of the capacity ladder, as parts of the campaign's volume limit: a tenth of it is what
ten times the capital would meet."""

_NO_CONTRACT = "the numpy back-end cannot compute this candidate"


async def stress(trials: StretchTrials, parameters: Parameters) -> Robustness:
    """Return the stress tests and ladders of a point, over the whole ground.

    Costs and delay are the host's arithmetic on the order log of one sandboxed run; capacity is
    run in the sandbox, for a strategy answers to orders that do not fill; jitter and other
    histories are computed by the numpy back-end.

    Args:
        trials: Runs the candidate.
        parameters: The point.

    Raises:
        UnavailableError: A trial cannot be run at all.
    """
    everything = range(len(trials.ground.sessions))
    # The limits of zipline's own costs are fixed.
    shares = VOLUME_SHARES if is_modelled(trials.ground) else VOLUME_SHARES[:1]
    baseline, *thinner = await trials.trade(
        TrialPurpose.STRESS,
        "stress",
        [Stretch(parameters, everything, share) for share in shares],
    )
    first = StressTest(StressKind.BASELINE, (_performance(trials, baseline),))
    if baseline.outcome is not Outcome.SUCCEEDED:
        note = f"no stress: the run without any ended with {baseline.outcome}"
        return Robustness(trials.candidate.hash, parameters, stress=(first,), notes=(note,))
    repriced, costs = await asyncio.to_thread(_repriced, trials.ground, baseline)
    limit = trials.ground.costs.volume_limit
    rungs = [
        Rung(limit * share, _performance(trials, traded), _fills(traded))
        for share, traded in zip(shares, (baseline, *thinner), strict=True)
    ]
    return Robustness(
        candidate=trials.candidate.hash,
        parameters=parameters,
        stress=(first, *repriced, *await _computed(trials, parameters)),
        costs=costs,
        capacity=CapacityLadder(tuple(rungs)) if thinner else None,
        notes=() if thinner else ("no capacity ladder: zipline's own costs have a fixed limit",),
    )


def _repriced(ground: Ground, baseline: Traded) -> tuple[tuple[StressTest, ...], CostLadder]:
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.performance import performance  # noqa: PLC0415
    from stratlab.evaluation.stress import Book, cost_ladder, mean_returns  # noqa: PLC0415

    books = [
        Book(trial.claim.log, panel, ground.window, ground.capital, ground.costs)
        for trial, panel in zip(baseline.trials, ground.panels, strict=True)
    ]

    def test(kind: StressKind, accounts: "Sequence[Book]", multiple: float) -> StressTest:
        found = [book.repriced(multiple) for book in accounts]
        returns = mean_returns(found, ground.capital)
        return StressTest(kind, (performance(returns, ground.benchmark, ground.sessions_per_year),))

    tests = (
        test(StressKind.DOUBLED_COSTS, books, 2.0),
        test(StressKind.ONE_BAR_DELAY, [book.delayed() for book in books], 1.0),
    )
    return tests, cost_ladder(books, ground.benchmark, ground.sessions_per_year)


async def _computed(trials: StretchTrials, parameters: Parameters) -> Sequence[StressTest]:
    kinds = (StressKind.PARAMETER_JITTER, StressKind.BOOTSTRAPPED_PRICES)
    candidate, ground = trials.candidate, trials.ground
    if not (candidate.contract and is_modelled(ground)):
        return [StressTest(kind, (), _NO_CONTRACT) for kind in kinds]
    contract = load_contract(candidate.contract)
    seed = f"{trials.campaign.spec.seed}/{candidate.hash}/jitter"
    points = _jittered(contract, parameters, seed)
    await trials.register(TrialPurpose.STRESS, points)
    try:
        jitter = await asyncio.to_thread(_jitter, contract, points, ground)
    except InvalidContractError:
        return [StressTest(kind, (), _NO_CONTRACT) for kind in kinds]
    paths = await asyncio.to_thread(_paths, contract, parameters, ground, trials.campaign.spec.seed)
    return [jitter, paths]


def _jitter(
    contract: "StrategyContract", points: Sequence[Parameters], ground: Ground
) -> StressTest:
    from stratlab.evaluation.performance import performance  # noqa: PLC0415 - keeps start-up fast

    if not points:
        return StressTest(StressKind.PARAMETER_JITTER, (), "no parameter can be moved")
    table = point_returns(contract, points, ground)
    return StressTest(
        StressKind.PARAMETER_JITTER,
        tuple(
            performance(returns, ground.benchmark, ground.sessions_per_year)
            for returns in table.returns
        ),
    )


def _jittered(
    contract: "StrategyContract", parameters: Parameters, seed: str
) -> tuple[Parameters, ...]:
    random = Random(seed)  # noqa: S311 - not for secrets
    values = {
        name: moves(space, parameters[name])
        for name, space in sorted(contract.optimization_space.items())
        if space.enabled
    }
    found: dict[frozenset[tuple[str, int | float]], Parameters] = {}
    for _ in range(4 * JITTERED):  # the same one may be drawn again
        point = {**parameters, **{name: random.choice(around) for name, around in values.items()}}
        if point_key(point) != point_key(parameters) and len(found) < JITTERED:
            found[point_key(point)] = point
    return tuple(found.values())


def _paths(
    contract: "StrategyContract", parameters: Parameters, ground: Ground, seed: int
) -> StressTest:
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.performance import performance  # noqa: PLC0415

    runs: list[Performance] = []
    for path in range(PATHS):
        try:
            other = _other_history(ground, seed * PATHS + path)
        except InvalidSpecError as error:
            return StressTest(StressKind.BOOTSTRAPPED_PRICES, (), error.message)
        (returns,) = point_returns(contract, [parameters], other).returns
        runs.append(performance(returns, other.benchmark, other.sessions_per_year))
    return StressTest(StressKind.BOOTSTRAPPED_PRICES, tuple(runs))


def _other_history(ground: Ground, seed: int) -> Ground:
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.benchmark import buy_and_hold  # noqa: PLC0415
    from stratlab.evaluation.bootstrapped_prices import bootstrapped_panel  # noqa: PLC0415
    from stratlab.evaluation.repricing import window_rows  # noqa: PLC0415
    from stratlab.evaluation.stress import mean_returns  # noqa: PLC0415

    panels = tuple(
        bootstrapped_panel(panel, max(window_rows(panel, ground.window).start, 1), seed)
        for panel in ground.panels
    )
    held = [
        buy_and_hold(market, panel, ground.window, ground.capital, ground.costs)
        for market, panel in zip(ground.markets, panels, strict=True)
    ]
    return replace(ground, panels=panels, benchmark=mean_returns(held, ground.capital))


def _performance(trials: StretchTrials, traded: Traded) -> Performance:
    from stratlab.evaluation.performance import performance  # noqa: PLC0415 - keeps start-up fast

    if traded.outcome is not Outcome.SUCCEEDED:
        return Performance(traded.outcome)
    return performance(traded.returns, traded.benchmark, trials.ground.sessions_per_year)


def _fills(traded: Traded) -> int:
    return sum(len(trial.result.fills) for trial in traded.trials)
