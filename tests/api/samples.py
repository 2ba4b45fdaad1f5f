"""Domain objects with every field filled, for tests of API, client and CLI."""

from dataclasses import replace
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
from stratlab.domain.gates import GateResult, Level, Verdict, VerdictKind
from stratlab.domain.market import CostModel, DataSet, MarketSet, Tier, TierRange, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
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
    SandboxIdentity,
    StrategyFailure,
    TrialPurpose,
    TrialResult,
    TrialSpec,
    Usage,
)

NOW = datetime(2024, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
METRICS = Metrics(
    cum_returns_final=0.25,
    annual_return=0.1,
    annual_volatility=0.2,
    sharpe_ratio=AnnualSharpe(0.5),
    sortino_ratio=None,
    max_drawdown=-0.3,
    calmar_ratio=0.33,
    win_rate=0.4,
    total_trades=17,
    turnover=3.5,
)
US_DAILY = DataSet(
    name="us-daily",
    digest="d" * 64,
    symbols=("AAPL", "GOOG", "IBM", "MSFT"),
    timeframe="1d",
    calendar="XNYS",
    warm_up_start=date(2000, 3, 1),
    tiers={
        Tier.TRAIN: TierRange(date(2001, 6, 1), date(2006, 12, 29)),
        Tier.VALIDATION: TierRange(date(2007, 1, 3), date(2009, 12, 31)),
        Tier.HOLDOUT: TierRange(date(2010, 1, 4), date(2013, 3, 1)),
    },
    provenance="public domain",
    caveats=("Survivors only.",),
)
TRIAL = TrialSpec(
    trial_id="t1",
    index=0,
    purpose=TrialPurpose.SEARCH,
    market=MarketSet("us-daily", ("AAPL", "IBM")),
    window=Window(Tier.TRAIN, date(2001, 6, 1), date(2006, 12, 29)),
    parameters={"fast": 10, "mult": 2.5},
    capital=100_000.0,
    cost_model=CostModel(),
)
RESULT = TrialResult(
    spec=TRIAL,
    outcome=Outcome.SUCCEEDED,
    metrics=METRICS,
    benchmark_metrics=replace(METRICS, sharpe_ratio=AnnualSharpe(0.4)),
    orders_digest="a" * 64,
    fills=(Fill(1, 991353600, "AAPL", 100, 10.5, 0.1), Fill(2, 991612800, "AAPL", -100, 11.0, 0.1)),
    equity=(EquityPoint(991353600, 100_000.0), EquityPoint(991612800, 100_049.8)),
    usage=Usage(1.5, 1.25, 200_000_000, 0.9),
    sandbox=SandboxIdentity("m1", "sha256:abc", "runc", "e" * 64),
)
FAILED_RESULT = TrialResult(
    spec=TRIAL,
    outcome=Outcome.STRATEGY_ERROR,
    reason="ZeroDivisionError: division by zero",
    failure=StrategyFailure(
        "ZeroDivisionError", "division by zero", 7, "x = 1 / 0", "line 7, in handle_data"
    ),
    usage=Usage(0.5, 0.25, 100_000_000, 0.9),
    sandbox=SandboxIdentity("m1", "sha256:abc", "runc", "e" * 64),
)
REJECTION = ScreeningReport(
    (
        Finding("security", "forbidden-import", Severity.ERROR, 1, 1, "imports os", "Remove it."),
        Finding("lint", "center", Severity.WARNING, 9, 5, "uses center=True", "Use a past window."),
    )
)
CANDIDATE = Candidate(
    hash="c" * 64,
    strategy_id="ema_cross_atr",
    thesis="Trends persist.",
    source="def initialize(context):\n    pass\n",
    contract='{"strategy_id":"ema_cross_atr"}',
    parameters={"fast": 10, "mult": 2.5},
    lineage=Lineage(GeneratorKind.FACTOR_GRAPH, "add_factor", ("b" * 64,), 2, "adds RSI"),
)


def campaign_of(number: int, **changes: object) -> Campaign:
    """Return a queued campaign; higher numbers are newer."""
    at = NOW + timedelta(seconds=number)
    campaign = Campaign(
        id=f"c{number:04d}",
        spec=CampaignSpec("sample", "us-daily", (("AAPL", "IBM"),)),
        data_digest=US_DAILY.digest,
        state=CampaignState.QUEUED,
        created_at=at,
        updated_at=at,
    )
    return replace(campaign, **changes)


def iteration_of(campaign_id: str, number: int) -> Iteration:
    """Return a finished iteration with every part."""
    return Iteration(
        campaign_id=campaign_id,
        number=number,
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=9),
        candidate=CANDIDATE,
        screening=ScreeningReport(REJECTION.findings[1:]),
        results=(replace(RESULT, spec=replace(TRIAL, trial_id=f"{campaign_id}-{number}-0")),),
        evaluation=Evaluation(
            level=Level.VALID_METRICS,
            train=METRICS,
            validation=METRICS,
            benchmark_train=METRICS,
            benchmark_validation=METRICS,
            parameters={"fast": 10},
            gates=(
                GateResult("min_sharpe_ratio", passed=True, value=0.5, bound=0.3),
                GateResult("max_turnover", passed=False, value=None, bound=100.0),
            ),
            score=0.6,
            score_parts={"return_quality": 0.7},
        ),
        feedback=Feedback("success", "sharpe 0.5", "Few trades.", "Loosen the entry."),
        critique=Critique("add_factor", "c" * 64, "More signals."),
    )


VERDICT = Verdict(
    VerdictKind.ITERATE, "c" * 64, ("Some checks are missing.",), ("causality", "holdout")
)
CHAMPION = HallOfFameEntry(
    campaign_id="c0001",
    candidate_hash="c" * 64,
    iteration=1,
    strategy_id="ema_cross_atr",
    tier=HallOfFameTier.CHAMPION,
    score=0.6,
    parameters={"fast": 10},
    provisional=True,
    admitted_at=NOW,
)
