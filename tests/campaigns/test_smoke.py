"""The smoke run of a campaign: the first trial of the train member, and the last layer."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.small_lab import (
    PanelData,
    ScriptedSandbox,
    SmallLab,
    small_lab,
    small_spec,
)

from stratlab.campaigns.smoke import MAX_SMOKE_BARS, SMOKE_DAYS, smoke_window
from stratlab.domain.campaign import REVIEW_REASON, Campaign, CampaignState, StopRules
from stratlab.domain.events import EventKind
from stratlab.domain.market import PricePanel, Tier, Window
from stratlab.domain.ports import FirstJudge, ProgressListener
from stratlab.domain.search import ReviewMode
from stratlab.domain.strategy import Author, ScreeningReport, Severity
from stratlab.domain.trial import (
    EquityPoint,
    Limits,
    Outcome,
    StrategyFailure,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)

ONE = StopRules(max_iterations=1, max_wall_seconds=None)


@dataclass
class SmokeScript(ScriptedSandbox):
    """Honest but for its smoke runs, of which it makes what a test wants.

    Attributes:
        failure: How they fail; None: they do not.
        idle: They place no order.
        batches: How many trials each batch had, and how many of them were run.
    """

    failure: StrategyFailure | None = None
    idle: bool = False

    def __post_init__(self) -> None:
        self.batches: list[tuple[int, int]] = []

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        async def judge(claim: TrialClaim) -> bool:
            assert judge_first is not None
            return await judge_first(self._scripted(batch.trials[0], claim))

        wrapped = judge if judge_first else None
        claims = await super().run(batch, on_progress, wrapped)
        self.batches.append((len(batch.trials), len(claims)))
        return [
            self._scripted(spec, claim) for spec, claim in zip(batch.trials, claims, strict=False)
        ]

    def _scripted(self, spec: TrialSpec, claim: TrialClaim) -> TrialClaim:
        if spec.purpose is not TrialPurpose.SMOKE:
            return claim
        if self.failure is not None:
            return TrialClaim(spec.trial_id, Outcome.STRATEGY_ERROR, "raised", failure=self.failure)
        if self.idle:
            flat = tuple(EquityPoint(point.bar, spec.capital) for point in claim.equity)
            return replace(claim, log=(), fills=(), equity=flat)
        return claim


class SilentScreener:
    """Finds nothing, so that what is found comes from the smoke run."""

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        return ScreeningReport()


def silent_lab(home: Path, sandbox: SmokeScript) -> AbstractContextManager[SmallLab]:
    return small_lab(home, sandbox=sandbox, screener=SilentScreener())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - raises no event
            await asyncio.sleep(0.01)


async def finished(lab: SmallLab, campaign: Campaign) -> Campaign:
    async with asyncio.timeout(30):
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
    return lab.repository.get_campaign(campaign.id)


async def test_smoke_run_goes_first_in_the_same_batch_and_counts_nowhere(tmp_path: Path) -> None:
    sandbox = SmokeScript(PanelData())
    with silent_lab(tmp_path, sandbox) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(stop_rules=ONE), "r"))
        iteration = lab.repository.get_iteration(campaign.id, 1)
        smoke, *others = iteration.results
        assert (smoke.spec.purpose, smoke.spec.index) == (TrialPurpose.SMOKE, -1)
        assert smoke.outcome is Outcome.SUCCEEDED
        assert smoke.orders_digest
        assert smoke.metrics is None
        assert smoke.spec.parameters == others[0].spec.parameters
        assert {result.spec.purpose for result in others} == {TrialPurpose.SEARCH}
        # Smoke and train in one container, validation in another.
        assert sandbox.batches == [(3, 3), (1, 1)]
        assert iteration.evaluation is not None
        assert iteration.evaluation.trials == len(others) == 3
        assert iteration.screening is not None
        assert iteration.screening.findings == ()
        assert [run.layer for run in iteration.screening.layers][-1] == "smoke"
        names = [artifact.name for artifact in lab.artifacts.list(campaign.id)]
        assert not [name for name in names if "smoke" in name]


async def test_result_hash_is_that_of_the_counted_trials_alone(tmp_path: Path) -> None:
    hashes = []
    for name, idle in (("trades", False), ("idle", True)):
        home = tmp_path / name
        home.mkdir()
        with silent_lab(home, SmokeScript(PanelData(), idle=idle)) as lab:
            created = await lab.manager.create(small_spec(stop_rules=ONE), "r")
            hashes.append((await finished(lab, created)).result_hash)
    assert hashes[0] == hashes[1]


async def test_failing_smoke_run_is_a_hard_finding_and_the_others_never_start(
    tmp_path: Path,
) -> None:
    failure = StrategyFailure("ValueError", "not today", 3, "raise ValueError('not today')")
    sandbox = SmokeScript(PanelData(), failure=failure)
    with silent_lab(tmp_path, sandbox) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(stop_rules=ONE), "r"))
        iteration = lab.repository.get_iteration(campaign.id, 1)
        assert sandbox.batches == [(3, 1)]
        assert [result.spec.purpose for result in iteration.results] == [TrialPurpose.SMOKE]
        assert iteration.evaluation is None
        assert iteration.failure == "screening rejected it"
        assert iteration.screening is not None
        (finding,) = iteration.screening.findings
        assert (finding.layer, finding.rule, finding.severity, finding.line) == (
            "smoke",
            "strategy_error",
            Severity.ERROR,
            3,
        )
        assert "ValueError: not today" in finding.message
        assert "raise ValueError" in finding.message
        assert iteration.feedback is not None
        assert "line 3" in iteration.feedback.summary
        events = lab.repository.events(campaign.id)
        started = [event for event in events if event.kind is EventKind.TRIAL_STARTED]
        assert [json.loads(event.payload)["purpose"] for event in started] == ["smoke"]
        screened = [
            json.loads(event.payload)
            for event in events
            if event.kind is EventKind.CANDIDATE_SCREENED
        ]
        assert [payload["passed"] for payload in screened] == [True, False]
        assert screened[1]["findings"] == [
            {"layer": "smoke", "rule": "strategy_error", "severity": "error", "line": 3}
        ]
        reasons = [transition.reason for transition in lab.repository.transitions(campaign.id)]
        assert "SCREENED_OUT" in reasons


async def test_idle_smoke_run_warns_and_the_search_goes_on(tmp_path: Path) -> None:
    with silent_lab(tmp_path, SmokeScript(PanelData(), idle=True)) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(stop_rules=ONE), "r"))
        iteration = lab.repository.get_iteration(campaign.id, 1)
        assert iteration.evaluation is not None
        assert iteration.screening is not None
        (finding,) = iteration.screening.findings
        assert (finding.rule, finding.severity) == ("no_orders", Severity.WARNING)
        assert "2020-01-15 to 2020-03-24" in finding.message


async def test_warning_of_the_smoke_run_waits_for_review_before_train(tmp_path: Path) -> None:
    spec = small_spec(stop_rules=ONE, review=ReviewMode.REQUIRED)
    with silent_lab(tmp_path, SmokeScript(PanelData(), idle=True)) as lab:
        campaign = await lab.manager.create(spec, "r")
        await until(lambda: lab.repository.get_campaign(campaign.id).state_reason == REVIEW_REASON)
        assert lab.sandbox.batches == [(3, 1)]
        await lab.manager.approve(campaign.id)
        done = await finished(lab, campaign)
        assert done.state is CampaignState.COMPLETED
        # It is not asked for twice, nor run twice.
        assert lab.sandbox.batches == [(3, 1), (2, 2), (1, 1)]
        iteration = lab.repository.get_iteration(campaign.id, 1)
        assert [result.spec.index for result in iteration.results] == [-1, 0, 1, 2]
        assert iteration.screening is not None
        assert [finding.rule for finding in iteration.screening.findings] == ["no_orders"]


async def test_warning_of_the_smoke_run_can_be_declined(tmp_path: Path) -> None:
    spec = small_spec(stop_rules=ONE, review=ReviewMode.REQUIRED)
    with silent_lab(tmp_path, SmokeScript(PanelData(), idle=True)) as lab:
        campaign = await lab.manager.create(spec, "r")
        await until(lambda: lab.repository.get_campaign(campaign.id).state_reason == REVIEW_REASON)
        await lab.manager.approve(campaign.id, decline=True)
        await finished(lab, campaign)
        assert lab.repository.get_iteration(campaign.id, 1).failure == "declined in review"
        assert lab.sandbox.batches == [(3, 1)]


async def test_interrupted_train_continues_without_another_smoke_run(tmp_path: Path) -> None:
    sandbox = SmokeScript(PanelData(), seconds=3.0)
    with silent_lab(tmp_path, sandbox) as lab:
        campaign = await lab.manager.create(small_spec(stop_rules=ONE), "r")
        await until(lambda: len(sandbox.seen) >= 2)
        await lab.manager.pause(campaign.id)
        stored = lab.repository.get_iteration(campaign.id, 1).results
        assert [result.outcome for result in stored] == [
            Outcome.SUCCEEDED,
            Outcome.LOST,
            Outcome.LOST,
        ]
        sandbox.seconds = 0.0
        await lab.manager.resume(campaign.id)
        await finished(lab, campaign)
        results = lab.repository.get_iteration(campaign.id, 1).results
        assert [result.attempt for result in results] == [1, 2, 2, 1]
        purposes = [trial.purpose for trial in sandbox.seen]
        assert purposes.count(TrialPurpose.SMOKE) == 1


def test_smoke_runs_are_cut_short_within_the_limits_of_the_campaign() -> None:
    data = PanelData().get("small").tiers[Tier.TRAIN]
    window = Window(Tier.TRAIN, data.start, data.end)
    spec = small_spec()
    search = TrialSpec("t", 0, TrialPurpose.SEARCH, None, window, {}, spec.capital, spec.cost_model)
    smoke = replace(search, purpose=TrialPurpose.SMOKE)
    for given_seconds, expected in ((180, 30), (5, 5)):
        limits = Limits(cpu_seconds=given_seconds, wall_seconds=given_seconds)
        batch = TrialBatch("c", "", (smoke, search), limits)
        assert batch.limits_of(search) is limits
        short = batch.limits_of(smoke)
        assert (short.cpu_seconds, short.wall_seconds) == (expected, expected)
        assert short.memory_mib == limits.memory_mib


def panel(first: date, traded: list[bool], *, bars_per_day: int = 1) -> PricePanel:
    midnights = [
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        for day in (first + timedelta(n) for n in range(len(traded)))
    ]
    sessions = np.repeat(np.array(midnights, dtype=np.int64), bars_per_day)
    bars = sessions + np.tile(np.arange(bars_per_day, dtype=np.int64) * 60, len(traded))
    there = np.repeat(np.array(traded), bars_per_day)
    close = np.where(there, 10.0, np.nan)[:, None]
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    volume = np.where(there, 1.0, 0.0)[:, None]
    extra = {} if bars_per_day == 1 else {"intraday_sessions": sessions}
    return PricePanel(bars=bars, symbols=("A",), **prices, volume=volume, **extra)


FIRST = date(2001, 1, 1)


@given(
    st.lists(st.booleans(), min_size=30, max_size=800),
    st.integers(0, 29),
    st.integers(0, 800),
)
def test_smoke_window_is_a_traded_year_inside_the_window(
    traded: list[bool], start: int, length: int
) -> None:
    end = min(start + length, len(traded) - 1)
    window = Window(Tier.TRAIN, FIRST + timedelta(start), FIRST + timedelta(end))
    chosen = smoke_window(window, panel(FIRST, traded))
    assert window.start <= chosen.start <= chosen.end <= window.end
    assert (chosen.end - chosen.start).days < SMOKE_DAYS
    first = next((n for n in range(start, end + 1) if traded[n]), start)
    assert chosen.start == FIRST + timedelta(first)


@pytest.mark.parametrize(("bars_per_day", "days"), [(1, 365), (50, 365), (400, 50)])
def test_smoke_window_is_shorter_where_a_year_has_too_many_bars(
    bars_per_day: int, days: int
) -> None:
    window = Window(Tier.TRAIN, FIRST, FIRST + timedelta(399))
    chosen = smoke_window(window, panel(FIRST, [True] * 400, bars_per_day=bars_per_day))
    assert (chosen.end - chosen.start).days + 1 == days
    assert days * bars_per_day <= MAX_SMOKE_BARS
