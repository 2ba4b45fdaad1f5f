"""Small, complete domain objects for tests of the store."""

from datetime import UTC, date, datetime, timedelta

from stratlab.domain.campaign import (
    Campaign,
    CampaignSpec,
    CampaignState,
    Evaluation,
    Feedback,
    HallOfFameEntry,
    HallOfFameTier,
    Iteration,
)
from stratlab.domain.gates import GateResult, Level
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.ports import Lease
from stratlab.domain.strategy import (
    Candidate,
    Critique,
    Finding,
    GeneratorKind,
    Lineage,
    ScreeningReport,
    Severity,
)
from stratlab.domain.trial import (
    EquityPoint,
    Fill,
    Outcome,
    StrategyFailure,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)

START = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


def a_campaign(
    campaign_id: str = "c1",
    *,
    state: CampaignState = CampaignState.QUEUED,
    minutes: int = 0,
    display_name: str = "pilot",
) -> Campaign:
    at = START + timedelta(minutes=minutes)
    spec = CampaignSpec(
        display_name=display_name,
        data_set="us-daily",
        markets=(("AAPL", "IBM"), ("MSFT",)),
        prompt="trends\nthat \u00e4lter \U0001f4c8",
        constraints=("no shorts",),
        parameter_space={"fast": (5, 20.5, 0.1)},
        capital=100_000,
        seed=2**62,
    )
    return Campaign(
        id=campaign_id,
        spec=spec,
        data_digest="d" * 64,
        state=state,
        created_at=at,
        updated_at=at,
    )


def an_iteration(campaign_id: str = "c1", number: int = 1) -> Iteration:
    return Iteration(
        campaign_id=campaign_id,
        number=number,
        started_at=START,
        ended_at=START + timedelta(seconds=1.5),
        candidate=Candidate(
            hash="a" * 64,
            strategy_id="ema_cross_atr",
            thesis="trends persist \u2013 sometimes",
            source="def initialize(context):\n    pass\n",
            contract='{"a":1}',
            parameters={"fast": 5, "stop": 5.0},
            lineage=Lineage(GeneratorKind.FACTOR_GRAPH, "add_factor", ("b" * 64,), 2),
            parameter_points=({"fast": 5, "stop": 5.0}, {"fast": 6, "stop": 0.1 + 0.2}),
        ),
        screening=ScreeningReport(
            (Finding("lint", "wall_clock", Severity.WARNING, 3, 1, "m", "h"),)
        ),
        evaluation=Evaluation(
            level=Level.PROFITABLE,
            train=some_metrics(),
            parameters={"fast": 5},
            gates=(GateResult("min_sharpe_ratio", passed=True, value=1.1, bound=0.3),),
            score=0.7,
            score_parts={"drawdown": 1 / 3},
            expected_trials=4,
            trials=4,
        ),
        feedback=Feedback("success", "Sharpe 1.1", "good", "more of it"),
        critique=Critique("perturb_parameter", "a" * 64, "try wider", {"name": "fast"}),
        patch="--- a\n+++ b\n",
    )


def some_metrics() -> Metrics:
    return Metrics(0.1, 0.02, 0.2, AnnualSharpe(1 / 7), None, -0.3, None, 0.5, 12, 3.3)


def a_result(trial_id: str = "t1", index: int = 0, *, attempt: int = 1) -> TrialResult:
    return TrialResult(
        spec=TrialSpec(
            trial_id=trial_id,
            index=index,
            purpose=TrialPurpose.SEARCH,
            market=MarketSet("us-daily", ("AAPL", "IBM")),
            window=Window(Tier.TRAIN, date(2001, 6, 1), date(2006, 12, 29)),
            parameters={"fast": 5, "stop": 2.5},
            capital=100_000.0,
            cost_model=CostModel(),
            seed=7,
        ),
        outcome=Outcome.SUCCEEDED,
        attempt=attempt,
        metrics=some_metrics(),
        orders_digest="e" * 64,
        fills=(Fill(1, 1_000_000_000, "AAPL", 10, 20.123456789, 0.01),),
        equity=(EquityPoint(1_000_000_000, 100_000.0), EquityPoint(1_000_086_400, 100_001.5)),
        benchmark_equity=(EquityPoint(1_000_000_000, 100_000.0),),
        failure=StrategyFailure("ValueError", "bad\u2028thing", 3, "x = 1", "..."),
        output_tail="\\x1b[31m",
    )


def a_hall_entry(
    candidate: str, score: float, tier: HallOfFameTier, campaign_id: str = "c1"
) -> HallOfFameEntry:
    return HallOfFameEntry(
        campaign_id=campaign_id,
        candidate_hash=candidate,
        iteration=1,
        strategy_id="s",
        tier=tier,
        score=score,
        parameters={"fast": 5, "stop": 2.5},
        provisional=True,
        admitted_at=START,
    )


def a_lease(member_id: str = "m1", *, minutes: int = 0) -> Lease:
    return Lease(
        member_id=member_id,
        campaign_id="c1",
        owner="controller-1",
        uid=0,
        image_id="sha256:" + "f" * 64,
        runtime="runc",
        deadline=START + timedelta(minutes=minutes),
    )
