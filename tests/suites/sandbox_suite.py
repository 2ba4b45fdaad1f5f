"""What every implementation of the port ``Sandbox`` promises: the real one and the fake."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import pytest

from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.ports import Sandbox
from stratlab.domain.trial import (
    Limits,
    Order,
    Outcome,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialPurpose,
    TrialSpec,
)

BUY_AND_HOLD = """
from zipline.api import order, symbol


def initialize(context):
    context.bought = False


def handle_data(context, data):
    if not context.bought:
        order(symbol(context.symbols[0]), int(context.params["shares"]))
        context.bought = True
"""

RAISES = """
from zipline.api import symbol


def initialize(context):
    context.count = 0


def handle_data(context, data):
    context.count += 1
    if context.count == 3:
        raise ValueError("not today")
"""

SLEEPS = """
import time


def initialize(context):
    context.count = 0


def handle_data(context, data):
    context.count += 1
    if context.count > 50:
        time.sleep(3600)
"""


@dataclass(frozen=True)
class Subject:
    """A sandbox under test.

    Attributes:
        sandbox: The implementation.
        live: Counts the containers that exist now; blocks.
        running: Counts those whose processes live; blocks.
    """

    sandbox: Sandbox
    live: Callable[[], int]
    running: Callable[[], int]


def suite_trial(trial_id: str, index: int = 0, shares: int = 10) -> TrialSpec:
    return TrialSpec(
        trial_id=trial_id,
        index=index,
        purpose=TrialPurpose.SEARCH,
        market=MarketSet("us-daily", ("IBM", "MSFT")),
        window=Window(Tier.TRAIN, date(2001, 6, 1), date(2001, 12, 31)),
        parameters={"shares": shares},
        capital=100_000.0,
        cost_model=CostModel(),
    )


def suite_batch(
    source: str, *trials: TrialSpec, campaign: str = "c1", **limits: object
) -> TrialBatch:
    chosen = trials or (suite_trial("t0"),)
    return TrialBatch(campaign, source, chosen, replace(Limits(), **limits))


def ignore(_: TrialProgress) -> None:
    """Listen to nothing."""


class SandboxSuite:
    """Subclasses provide the fixture ``subject``."""

    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    async def test_batch_gives_one_claim_a_trial_in_order(self, subject: Subject) -> None:
        trials = [suite_trial(f"t{n}", n, shares=10 * (n + 1)) for n in range(3)]
        claims = await subject.sandbox.run(suite_batch(BUY_AND_HOLD, *trials), ignore)
        assert [claim.trial_id for claim in claims] == ["t0", "t1", "t2"]
        assert [claim.outcome for claim in claims] == [Outcome.SUCCEEDED] * 3
        orders = [[each for each in claim.log if isinstance(each, Order)] for claim in claims]
        assert [[order.amount for order in log] for log in orders] == [[10], [20], [30]]
        assert {order.symbol for log in orders for order in log} == {"IBM"}
        assert all(claim.failure is None for claim in claims)

    async def test_empty_batch_gives_nothing(self, subject: Subject) -> None:
        empty = replace(suite_batch(BUY_AND_HOLD), trials=())
        assert await subject.sandbox.run(empty, ignore) == []

    async def test_equity_covers_the_window_in_order(self, subject: Subject) -> None:
        (claim,) = await subject.sandbox.run(suite_batch(BUY_AND_HOLD), ignore)
        bars = [point.bar for point in claim.equity]
        assert bars == sorted(set(bars))
        assert len(bars) > 100
        assert all(point.value > 0 for point in claim.equity)

    async def test_same_batch_again_gives_the_same_log(self, subject: Subject) -> None:
        work = suite_batch(BUY_AND_HOLD)
        first = await subject.sandbox.run(work, ignore)
        second = await subject.sandbox.run(work, ignore)
        assert first[0].log == second[0].log
        assert first[0].equity == second[0].equity

    async def test_failing_strategy_is_an_outcome_with_its_line(self, subject: Subject) -> None:
        work = suite_batch(RAISES, suite_trial("t0"), suite_trial("t1", 1))
        claims = await subject.sandbox.run(work, ignore)
        assert [claim.outcome for claim in claims] == [Outcome.STRATEGY_ERROR] * 2
        failure = claims[0].failure
        assert failure is not None
        assert (failure.type, failure.message) == ("ValueError", "not today")
        assert (
            failure.line == RAISES.splitlines().index('        raise ValueError("not today")') + 1
        )
        assert failure.text == 'raise ValueError("not today")'

    async def test_progress_is_delivered_while_a_trial_runs(self, subject: Subject) -> None:
        seen: list[TrialProgress] = []
        await subject.sandbox.run(suite_batch(BUY_AND_HOLD), seen.append)
        assert seen
        assert {(each.campaign_id, each.trial_id) for each in seen} == {("c1", "t0")}
        fractions = [each.fraction for each in seen]
        assert fractions == sorted(fractions)
        assert all(0 <= fraction <= 1 for fraction in fractions)

    async def test_sleeping_strategy_ends_at_the_wall_deadline(self, subject: Subject) -> None:
        (claim,) = await subject.sandbox.run(suite_batch(SLEEPS, wall_seconds=1), ignore)
        assert claim.outcome is Outcome.TIMEOUT_WALL
        assert 1 <= claim.usage.wall_seconds < 2
        assert subject.live() == 0

    async def test_cancelled_batch_is_dead_within_half_a_second(self, subject: Subject) -> None:
        running = asyncio.Event()
        work = suite_batch(SLEEPS)
        task = asyncio.create_task(subject.sandbox.run(work, lambda _: running.set()))
        await asyncio.wait_for(running.wait(), 20)
        assert await asyncio.to_thread(subject.running) == 1
        began = time.monotonic()
        task.cancel()
        while await asyncio.to_thread(subject.running):  # noqa: ASYNC110 - raises no event
            await asyncio.sleep(0.01)
        assert time.monotonic() - began < 0.5
        with pytest.raises(asyncio.CancelledError):
            await task
        assert subject.live() == 0

    async def test_nothing_lives_on_after_a_batch(self, subject: Subject) -> None:
        for source in (BUY_AND_HOLD, RAISES):
            await subject.sandbox.run(suite_batch(source), ignore)
            assert subject.live() == 0

    async def test_batches_of_several_campaigns_do_not_mix(self, subject: Subject) -> None:
        seen: list[TrialProgress] = []
        results = await asyncio.gather(
            *(
                subject.sandbox.run(
                    suite_batch(BUY_AND_HOLD, suite_trial(f"t{n}", shares=n + 1), campaign=f"c{n}"),
                    seen.append,
                )
                for n in range(3)
            )
        )
        for n, (claim,) in enumerate(results):
            assert claim.trial_id == f"t{n}"
            assert [each.amount for each in claim.log if isinstance(each, Order)] == [n + 1]
        assert {(each.campaign_id, each.trial_id) for each in seen} == {
            (f"c{n}", f"t{n}") for n in range(3)
        }

    async def test_judge_of_the_first_trial_lets_the_others_run_in_the_same_member(
        self, subject: Subject
    ) -> None:
        seen: list[TrialProgress] = []
        judged: list[tuple[TrialClaim, set[str]]] = []

        async def judge(claim: TrialClaim) -> bool:
            await asyncio.sleep(0.05)
            judged.append((claim, {progress.trial_id for progress in seen}))
            return True

        trials = [suite_trial(f"t{n}", n, shares=n + 1) for n in range(3)]
        claims = await subject.sandbox.run(suite_batch(BUY_AND_HOLD, *trials), seen.append, judge)
        assert [claim.trial_id for claim in claims] == ["t0", "t1", "t2"]
        assert judged == [(claims[0], {"t0"})]
        assert len({claim.sandbox.member_id for claim in claims}) == 1

    @pytest.mark.parametrize("source", [BUY_AND_HOLD, RAISES])
    async def test_judge_of_the_first_trial_can_stop_the_others(
        self, subject: Subject, source: str
    ) -> None:
        async def judge(claim: TrialClaim) -> bool:
            return False

        trials = [suite_trial(f"t{n}", n) for n in range(3)]
        claims = await subject.sandbox.run(suite_batch(source, *trials), ignore, judge)
        assert [claim.trial_id for claim in claims] == ["t0"]
        assert subject.live() == 0

    async def test_judge_is_asked_of_a_first_trial_that_ends_its_member(
        self, subject: Subject
    ) -> None:
        outcomes: list[Outcome] = []

        async def judge(claim: TrialClaim) -> bool:
            outcomes.append(claim.outcome)
            return False

        trials = [suite_trial("t0"), suite_trial("t1", 1)]
        work = suite_batch(SLEEPS, *trials, wall_seconds=1)
        claims = await subject.sandbox.run(work, ignore, judge)
        assert [claim.outcome for claim in claims] == outcomes == [Outcome.TIMEOUT_WALL]

    async def test_claim_says_where_it_comes_from(self, subject: Subject) -> None:
        (claim,) = await subject.sandbox.run(suite_batch(BUY_AND_HOLD), ignore)
        assert claim.sandbox.member_id
        assert claim.sandbox.image_id.startswith("sha256:")
        assert claim.sandbox.runtime == "runc"
        assert len(claim.sandbox.seccomp_digest) == 64
        assert claim.usage.wall_seconds > 0
