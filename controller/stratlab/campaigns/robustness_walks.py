"""Walks a candidate forward and cross-validates it: chosen on some sessions, traded on others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.campaigns.robustness_ground import drawn_points, is_modelled, point_returns
from stratlab.campaigns.robustness_trials import Stretch, StretchTrials, Traded
from stratlab.contract.document import load_contract
from stratlab.domain.errors import InvalidContractError, InvalidSpecError
from stratlab.domain.robustness import (
    CrossValidation,
    ParameterSource,
    Performance,
    SessionRange,
    WalkForward,
    WalkForwardStep,
    WindowScheme,
)
from stratlab.domain.trial import Outcome, Parameters, TrialPurpose
from stratlab.evaluation.cross_validation import combinatorial_splits
from stratlab.evaluation.walk_forward import walk_forward_folds

if TYPE_CHECKING:
    from stratlab.evaluation.folds import Fold
    from stratlab.evaluation.selection import PointReturns

POINTS = 64
"""Points that a train window chooses among, where the numpy back-end computes them."""

RECORDED_POINTS = 16
"""The same where each of them takes a run in the sandbox."""

FIRST_TRAIN = 0.5
"""Share of all sessions in the first train window of a walk-forward."""

STEPS = 5
"""Test windows of a walk-forward."""

GROUPS, TEST_GROUPS = 6, 2
"""Of the cross-validation: 15 splits, 5 paths."""

PURGE = 5
"""Sessions left out beside what is tested: a position that train ends with reaches that far."""

EMBARGO_SHARE = 0.01
"""Of all sessions, left out behind what is tested, for returns that depend on earlier ones.

Source: M. Lopez de Prado, "Advances in Financial Machine Learning", 2018, section 7.4.2.
"""


@final
@dataclass(frozen=True, slots=True)
class Walks:
    """What was found, and what could not be done."""

    walk_forwards: tuple[WalkForward, ...]
    cross_validation: CrossValidation | None
    notes: tuple[str, ...]


async def walk(trials: StretchTrials) -> Walks:
    """Return both walk-forwards and the cross-validation of a candidate.

    What a train window chooses by is one run of every point over the whole ground, of which it
    sees its own sessions alone. What is tested is run in the sandbox, from the capital on, for
    each test window by itself.

    Raises:
        UnavailableError: A trial cannot be run at all.
    """
    choice = await _choice(trials)
    sessions = len(trials.ground.sessions)
    embargo = round(EMBARGO_SHARE * sessions)
    try:
        folds = {
            scheme: walk_forward_folds(
                sessions,
                scheme=scheme,
                train=round(FIRST_TRAIN * sessions),
                steps=STEPS,
                purge=PURGE,
                embargo=embargo,
            )
            for scheme in WindowScheme
        }
        splits = combinatorial_splits(
            sessions, groups=GROUPS, test_groups=TEST_GROUPS, purge=PURGE, embargo=embargo
        )
    except InvalidSpecError as error:
        return Walks((), None, (f"neither walk-forward nor cross-validation: {error.message}",))
    walks = [(fold, test) for several in folds.values() for fold in several for test in fold.test]
    blocks = [
        (fold, splits.groups[group])
        for fold, groups in zip(splits.folds, splits.tested, strict=True)
        for group in groups
    ]
    traded = iter(
        await trials.trade(
            TrialPurpose.WALK_FORWARD,
            "wf",
            [Stretch(choice.parameters(fold), test) for fold, test in (*walks, *blocks)],
        )
    )
    # Taken from the iterator in the order in which they were planned.
    walk_forwards = tuple(
        _walk_forward(trials, choice, scheme, embargo, [(fold, next(traded)) for fold in several])
        for scheme, several in folds.items()
    )
    of_group = {
        (number, group): next(traded)
        for number, groups in enumerate(splits.tested)
        for group in groups
    }
    cross_validation = CrossValidation(
        groups=GROUPS,
        test_groups=TEST_GROUPS,
        purge=PURGE,
        embargo=embargo,
        source=choice.source,
        points=len(choice.table.points),
        splits=len(splits.folds),
        paths=tuple(
            _together(trials, [of_group[fold, group] for group, fold in enumerate(path)])
            for path in splits.paths
        ),
    )
    return Walks(walk_forwards, cross_validation, ())


@final
@dataclass(frozen=True, slots=True)
class _Choice:
    # Points to choose among, what they earned everywhere, and where they come from.
    source: ParameterSource
    table: "PointReturns"

    def place(self, fold: "Fold") -> int:
        # Where no point traded, none is better than the first.
        return self.table.best(fold.train) or 0

    def parameters(self, fold: "Fold") -> Parameters:
        return self.table.points[self.place(fold)]


async def _choice(trials: StretchTrials) -> _Choice:
    candidate, ground = trials.candidate, trials.ground
    if candidate.contract and is_modelled(ground):
        contract = load_contract(candidate.contract)
        points = drawn_points(contract, POINTS, f"{trials.campaign.spec.seed}/{candidate.hash}")
        await trials.register(TrialPurpose.WALK_FORWARD, points)
        try:
            table = await asyncio.to_thread(point_returns, contract, points, ground)
        except InvalidContractError:
            pass
        else:
            source = ParameterSource.SCREEN if len(points) > 1 else ParameterSource.FIXED
            return _Choice(source, table)
    return await _recorded(trials)


async def _recorded(trials: StretchTrials) -> _Choice:
    # keeps start-up fast: numpy
    import numpy as np  # noqa: PLC0415

    from stratlab.evaluation.selection import PointReturns  # noqa: PLC0415

    candidate, ground = trials.candidate, trials.ground
    points = (candidate.parameter_points or (candidate.parameters,))[:RECORDED_POINTS]
    everything = range(len(ground.sessions))
    traded = await trials.trade(
        TrialPurpose.WALK_FORWARD, "points", [Stretch(point, everything) for point in points]
    )
    returns = np.full((len(points), len(everything)), np.nan)
    for row, each in zip(returns, traded, strict=True):
        row[:] = each.returns
    table = PointReturns(tuple(points), returns, ground.benchmark, ground.sessions_per_year)
    source = ParameterSource.RECORDED if len(points) > 1 else ParameterSource.FIXED
    return _Choice(source, table)


def _walk_forward(
    trials: StretchTrials,
    choice: _Choice,
    scheme: WindowScheme,
    embargo: int,
    steps: "Sequence[tuple[Fold, Traded]]",
) -> WalkForward:
    # keeps start-up fast: numpy and empyrical
    from stratlab.evaluation.degradation import degradation  # noqa: PLC0415
    from stratlab.evaluation.out_of_sample import (  # noqa: PLC0415
        curve,
        efficiency,
        stitched,
        trained,
    )

    ground, table = trials.ground, choice.table
    places = [choice.place(fold) for fold, _ in steps]
    found = tuple(
        _step(trials, table, place, fold, traded)
        for place, (fold, traded) in zip(places, steps, strict=True)
    )
    succeeded = all(traded.outcome is Outcome.SUCCEEDED for _, traded in steps)
    together = _together(trials, [traded for _, traded in steps])
    bars = tuple(bar for _, traded in steps for bar in traded.bars)
    own, held = stitched([(traded.returns, traded.benchmark) for _, traded in steps])
    in_sample = trained(
        table, [(place, fold.train) for place, (fold, _) in zip(places, steps, strict=True)]
    )
    return WalkForward(
        scheme=scheme,
        purge=PURGE,
        embargo=embargo,
        source=choice.source,
        points=len(table.points),
        steps=found,
        equity=curve(bars, own, ground.capital) if succeeded else (),
        benchmark_equity=curve(bars, held, ground.capital) if succeeded else (),
        out_of_sample=together,
        efficiency=efficiency(together, [step.in_sample for step in found]),
        degradation=degradation(
            in_sample, own - held, ground.sessions_per_year, trials.campaign.spec.seed
        ),
    )


def _step(
    trials: StretchTrials, table: "PointReturns", place: int, fold: "Fold", traded: Traded
) -> WalkForwardStep:
    from stratlab.evaluation.performance import performance  # noqa: PLC0415 - keeps start-up fast
    from stratlab.evaluation.selection import rows_of  # noqa: PLC0415 - the same

    ground, rows = trials.ground, rows_of(fold.train)
    (train,), (test,) = fold.train, fold.test
    return WalkForwardStep(
        train=SessionRange(ground.day(train.start), ground.day(train.stop - 1)),
        test=SessionRange(ground.day(test.start), ground.day(test.stop - 1)),
        parameters=table.points[place],
        in_sample=performance(
            table.returns[place, rows], table.benchmark[rows], ground.sessions_per_year
        ),
        out_of_sample=_together(trials, [traded]),
        trial_id=traded.trial_id,
    )


def _together(trials: StretchTrials, parts: Sequence[Traded]) -> Performance:
    # One after the other; without all of them there is nothing to say.
    from stratlab.evaluation.out_of_sample import stitched  # noqa: PLC0415 - keeps start-up fast
    from stratlab.evaluation.performance import performance  # noqa: PLC0415 - the same

    for part in parts:
        if part.outcome is not Outcome.SUCCEEDED:
            return Performance(part.outcome)
    own, held = stitched([(part.returns, part.benchmark) for part in parts])
    return performance(own, held, trials.ground.sessions_per_year)
