"""Single backtests: windows, refusals and screening."""

from dataclasses import replace
from datetime import date

import pytest
from tests.suites.small_lab import PanelData, ScriptedSandbox

from stratlab.campaigns.backtest import Backtester, BacktestRequest
from stratlab.domain.errors import EngineError, InvalidInputError, PermissionDeniedError
from stratlab.domain.market import CostModel, Tier
from stratlab.domain.trial import Limits, Outcome, TrialPurpose
from stratlab.evaluation import HostEvaluator
from stratlab.screening import SubprocessScreener

SOURCE = "def initialize(context):\n    pass\n"
REQUEST = BacktestRequest(
    source=SOURCE,
    data_set="small",
    symbols=(),
    start=None,
    end=None,
    parameters={},
    cost_model=CostModel(),
    limits=Limits(),
    capital=1e5,
    seed=0,
    skip_screening=False,
    runtime="runc",
)


def backtester() -> tuple[Backtester, ScriptedSandbox]:
    data = PanelData()
    sandbox = ScriptedSandbox(data)
    return Backtester(data, sandbox, SubprocessScreener(), HostEvaluator()), sandbox


async def test_default_window_is_the_train_tier_and_the_result_is_the_hosts() -> None:
    lab, sandbox = backtester()
    report = await lab.run(REQUEST, lambda progress: None)
    assert report.result is not None
    assert report.result.outcome is Outcome.SUCCEEDED
    assert report.result.metrics is not None
    assert sandbox.seen[0].window.tier is Tier.TRAIN
    assert sandbox.seen[0].market.symbols == ("AAA", "BBB")


async def test_container_gets_the_smallest_tier_that_holds_the_dates() -> None:
    lab, sandbox = backtester()
    validation = PanelData().get("small").tiers[Tier.VALIDATION]
    await lab.run(replace(REQUEST, end=validation.end), lambda progress: None)
    assert sandbox.seen[0].window.tier is Tier.VALIDATION


async def test_holdout_is_sealed() -> None:
    lab, sandbox = backtester()
    holdout = PanelData().get("small").tiers[Tier.HOLDOUT]
    with pytest.raises(PermissionDeniedError, match="sealed"):
        await lab.run(replace(REQUEST, end=holdout.start), lambda progress: None)
    assert not sandbox.seen


@pytest.mark.parametrize(
    ("start", "end"),
    [(date(2020, 3, 1), date(2020, 2, 1)), (date(1990, 1, 1), None), (None, date(2030, 1, 1))],
)
async def test_dates_outside_the_data_are_refused_with_the_range(
    start: date | None, end: date | None
) -> None:
    lab, sandbox = backtester()
    with pytest.raises(InvalidInputError) as caught:
        await lab.run(replace(REQUEST, start=start, end=end), lambda progress: None)
    assert caught.value.hint
    assert not sandbox.seen


async def test_rejected_source_starts_no_container_unless_screening_is_skipped() -> None:
    lab, sandbox = backtester()
    hostile = replace(REQUEST, source=f"import socket\n{SOURCE}\nopened = socket.socket\n")
    report = await lab.run(hostile, lambda progress: None)
    assert report.result is None
    assert not report.screening.passed
    assert not sandbox.seen
    report = await lab.run(replace(hostile, skip_screening=True), lambda progress: None)
    assert report.result is not None


IDLE = "def initialize(context):\n    pass\n\n\ndef handle_data(context, data):\n    pass\n"


async def test_smoke_takes_the_first_year_of_train_and_tells_no_figures() -> None:
    lab, sandbox = backtester()
    report = await lab.smoke(replace(REQUEST, source=IDLE))
    assert report.passed
    assert [run.layer for run in report.layers][-1] == "smoke"
    (spec,) = sandbox.seen
    assert spec.purpose is TrialPurpose.SMOKE
    assert spec.window.tier is Tier.TRAIN
    assert (spec.window.end - spec.window.start).days < 365


async def test_smoke_of_a_rejected_source_runs_nothing() -> None:
    lab, sandbox = backtester()
    report = await lab.smoke(replace(REQUEST, source="import socket\nsocket\n"))
    assert not report.passed
    assert not sandbox.seen


@pytest.mark.parametrize(
    ("outcome", "rule"),
    [(Outcome.STRATEGY_ERROR, "strategy_error"), (Outcome.TIMEOUT_WALL, "timeout_wall"),
     (Outcome.OUT_OF_MEMORY, "out_of_memory"), (Outcome.FORGED, "forged")],
)  # fmt: skip
async def test_smoke_that_fails_is_an_error_of_the_last_layer(outcome: Outcome, rule: str) -> None:
    lab, sandbox = backtester()
    sandbox.script = lambda call, trial: outcome
    report = await lab.smoke(replace(REQUEST, source=IDLE))
    assert not report.passed
    assert [f.rule for f in report.of_layer("smoke")] == [rule]


async def test_smoke_that_cannot_be_made_is_no_finding() -> None:
    lab, sandbox = backtester()
    sandbox.script = lambda call, trial: Outcome.INFRASTRUCTURE
    with pytest.raises(EngineError, match="could not be made"):
        await lab.smoke(replace(REQUEST, source=IDLE))
