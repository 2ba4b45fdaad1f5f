"""What the result hash covers, and what it must not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.suites.examination_suite import an_examination

from stratlab.campaigns.result_hash import result_hash
from stratlab.domain.campaign import Evaluation, Iteration
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.gates import (
    GateResult,
    Level,
    RuleResult,
    RuleStatus,
    Verdict,
    VerdictKind,
)
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.robustness import Robustness
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import (
    Outcome,
    SandboxIdentity,
    TrialPurpose,
    TrialResult,
    TrialSpec,
    Usage,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VERDICT = Verdict(VerdictKind.ITERATE, "h", ("because",))
METRICS = Metrics(0.1, 0.05, 0.2, AnnualSharpe(0.5), 0.7, -0.1, 0.5, 0.6, 10, 3.0)
RESULT = TrialResult(
    spec=TrialSpec(
        trial_id="t",
        index=0,
        purpose=TrialPurpose.SEARCH,
        market=MarketSet("small", ("AAA",)),
        window=Window(Tier.TRAIN, date(2020, 1, 1), date(2020, 2, 1)),
        parameters={"n": 1},
        capital=1e5,
        cost_model=CostModel(),
    ),
    outcome=Outcome.SUCCEEDED,
    metrics=METRICS,
    orders_digest="o",
)
ITERATION = Iteration(
    campaign_id="c",
    number=1,
    started_at=NOW,
    candidate=Candidate("h", "s", "", "", "", {}, Lineage(GeneratorKind.TEMPLATE, "t")),
    results=(RESULT,),
    evaluation=Evaluation(Level.VALID_METRICS, gates=(GateResult("g", True, 1.0, 0.5),), score=0.4),
)


def with_result(**changes: object) -> Iteration:
    return replace(ITERATION, results=(replace(RESULT, **changes),))


@pytest.mark.parametrize(
    "other",
    [
        replace(ITERATION, started_at=NOW + timedelta(days=1)),
        with_result(attempt=3),
        with_result(usage=Usage(wall_seconds=9.0)),
        with_result(sandbox=SandboxIdentity(member_id="m")),
        with_result(spec=replace(RESULT.spec, trial_id="other")),
        with_result(spec=replace(RESULT.spec, parameters={"n": 1.0})),
        with_result(metrics=replace(METRICS, annual_return=0.05 + 1e-12)),
    ],
)
def test_times_attempts_members_and_rounding_are_left_out(other: Iteration) -> None:
    assert result_hash("d", [other], VERDICT) == result_hash("d", [ITERATION], VERDICT)


@pytest.mark.parametrize(
    "other",
    [
        replace(ITERATION, candidate=None),
        with_result(orders_digest="p"),
        with_result(outcome=Outcome.FORGED),
        with_result(spec=replace(RESULT.spec, parameters={"n": 2})),
        with_result(metrics=replace(METRICS, annual_return=0.05 + 1e-8)),
        with_result(metrics=None),
        replace(ITERATION, evaluation=Evaluation(Level.VALID_METRICS, score=0.4)),
    ],
)
def test_every_result_is_covered(other: Iteration) -> None:
    assert result_hash("d", [other], VERDICT) != result_hash("d", [ITERATION], VERDICT)


def test_data_and_verdict_are_covered() -> None:
    base = result_hash("d", [ITERATION], VERDICT)
    assert result_hash("e", [ITERATION], VERDICT) != base
    rejected = replace(VERDICT, kind=VerdictKind.REJECT)
    assert result_hash("d", [ITERATION], rejected) != base
    # The wording of a reason may improve without changing a result.
    assert result_hash("d", [ITERATION], replace(VERDICT, reasons=("other",))) == base


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"status": RuleStatus.FAILED}, True),
        ({"value": 0.012}, True),
        ({"value": None}, True),
        ({"bound": 0.01}, True),
        ({"value": 0.01 + 1e-12}, False),
        ({"evidence": "in other words"}, False),
    ],
)
def test_rules_are_covered_and_their_wording_is_not(
    change: dict[str, object], counts: bool
) -> None:
    rule = RuleResult("hansen_spa", RuleStatus.PASSED, 0.01, 0.05, "40 trials")
    base = result_hash("d", [ITERATION], replace(VERDICT, rules=(rule,)))
    other = result_hash("d", [ITERATION], replace(VERDICT, rules=(replace(rule, **change),)))
    assert (base != other) is counts


def test_outcome_of_a_causality_test_is_covered_and_reported_evidence_is_not() -> None:
    clean = an_examination(causality=CausalityEvidence(Outcome.SUCCEEDED, "the same orders"))
    base = result_hash("d", [ITERATION], VERDICT, [clean])
    told = replace(clean, causality=CausalityEvidence(Outcome.SUCCEEDED, "other words"))
    reported = replace(clean, robustness=Robustness("a" * 64, {}))
    assert {result_hash("d", [ITERATION], VERDICT, [e]) for e in (told, reported)} == {base}
    leak = replace(clean, causality=CausalityEvidence(Outcome.LOOKAHEAD, "the same orders"))
    assert result_hash("d", [ITERATION], VERDICT, [leak]) != base
