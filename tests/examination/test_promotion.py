"""Each rule of a promotion, and the verdict that follows from all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.examination_suite import (
    BOUND,
    NOTHING,
    an_examination,
    an_opening,
    some_holdout,
    some_statistics,
)

from stratlab.domain.examination import (
    CausalityCut,
    CausalityEvidence,
    CheckName,
    CutReason,
    Examination,
    HoldoutMode,
    SealedReplayEvidence,
)
from stratlab.domain.gates import RuleStatus, VerdictKind
from stratlab.domain.metrics import AnnualSharpe
from stratlab.domain.statistics import DeflatedSharpe, PredictiveAbility
from stratlab.domain.trial import Outcome
from stratlab.evaluation import reach_verdict
from stratlab.evaluation.promotion import (
    RULES,
    holdout_confidence,
    judge_promotion,
    may_open_holdout,
)

STOP = "MAX_ITERATIONS: 3, bound 3"
PASSED, FAILED, NOT_RUN = RuleStatus.PASSED, RuleStatus.FAILED, RuleStatus.NOT_RUN
CLEAN = CausalityEvidence(Outcome.SUCCEEDED, "12 re-runs placed the same orders")
REPLAYED = SealedReplayEvidence(Outcome.SUCCEEDED, "the same orders", 2)


def perfect(**changes: object) -> Examination:
    examination = an_examination(
        causality=CLEAN,
        sealed_replay=REPLAYED,
        statistics=some_statistics(),
        holdout=some_holdout(),
    )
    return replace(examination, **changes)


def with_deflated(probability: float) -> Examination:
    found = some_statistics().deflated
    assert isinstance(found.raw_count, DeflatedSharpe)
    changed = replace(found, raw_count=replace(found.raw_count, probability=probability))
    return perfect(statistics=some_statistics(deflated=changed))


def with_spa(p_value: float) -> Examination:
    found = some_statistics().spa
    assert isinstance(found, PredictiveAbility)
    return perfect(statistics=some_statistics(spa=replace(found, p_value=p_value)))


def with_bound(lower: float) -> Examination:
    return perfect(holdout=some_holdout(bound=replace(BOUND, annual_lower=AnnualSharpe(lower))))


def statuses(examination: Examination) -> tuple[RuleStatus, ...]:
    rules = judge_promotion(examination, ())
    assert tuple(rule.name for rule in rules) == RULES
    assert all(rule.evidence for rule in rules)
    return tuple(rule.status for rule in rules)


def test_candidate_that_passes_every_rule_is_promoted() -> None:
    assert statuses(perfect()) == (PASSED,) * 4
    verdict = reach_verdict([], perfect(), STOP)
    assert verdict.kind is VerdictKind.PROMOTE_CANDIDATE
    assert verdict.candidate == "a" * 64
    assert verdict.missing_checks == ()
    assert [rule.value for rule in verdict.rules] == [0.0, 0.97, 0.01, 0.32]
    assert [rule.bound for rule in verdict.rules] == [0.0, 0.95, 0.05, 0.0]
    assert verdict.reasons[-1] == f"stopped: {STOP}"


@pytest.mark.parametrize(
    ("examination", "expected"),
    [
        (with_deflated(0.95), (PASSED, FAILED, PASSED, PASSED)),
        (with_deflated(0.9500001), (PASSED,) * 4),
        (with_spa(0.05), (PASSED, PASSED, FAILED, PASSED)),
        (with_spa(0.0499999), (PASSED,) * 4),
        (with_bound(0.0), (PASSED, PASSED, PASSED, FAILED)),
        (with_bound(1e-9), (PASSED,) * 4),
    ],
    ids=["dsr at", "dsr above", "spa at", "spa below", "holdout at", "holdout above"],
)
def test_bounds_are_open(examination: Examination, expected: tuple[RuleStatus, ...]) -> None:
    assert statuses(examination) == expected


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-3, 3), st.booleans(), st.booleans())
def test_promotion_takes_every_rule(
    deflated: float, p_value: float, lower: float, is_clean: bool, is_replayed: bool
) -> None:
    examination = replace(
        with_deflated(deflated),
        holdout=with_bound(lower).holdout,
        causality=CLEAN if is_clean else replace(CLEAN, outcome=Outcome.LOOKAHEAD),
        sealed_replay=REPLAYED if is_replayed else None,
    )
    assert examination.statistics is not None
    statistics = replace(examination.statistics, spa=with_spa(p_value).statistics.spa)
    verdict = reach_verdict([], replace(examination, statistics=statistics), STOP)
    every = is_clean and is_replayed and deflated > 0.95 and p_value < 0.05 and lower > 0
    assert (verdict.kind is VerdictKind.PROMOTE_CANDIDATE) == every


@pytest.mark.parametrize(
    ("examination", "kind", "decisive"),
    [
        (with_deflated(0.5), VerdictKind.ITERATE, "failed the rule deflated_sharpe_ratio: 0.5000"),
        (with_spa(0.4), VerdictKind.ITERATE, "failed the rule hansen_spa: 0.4000, bound 0.05"),
        (with_bound(-0.2), VerdictKind.REJECT, "failed the rule holdout: -0.2000, bound 0"),
        (
            replace(with_spa(0.4), holdout=with_bound(-0.2).holdout),
            VerdictKind.REJECT,
            "failed the rule hansen_spa",
        ),
        (perfect(holdout=None), VerdictKind.ITERATE, "have not run: holdout"),
        (an_examination(), VerdictKind.ITERATE, f"have not run: {', '.join(RULES)}"),
    ],
    ids=["dsr", "spa", "holdout", "spa and holdout", "sealed", "nothing"],
)
def test_first_reason_names_the_rule_that_decided(
    examination: Examination, kind: VerdictKind, decisive: str
) -> None:
    verdict = reach_verdict([], examination, STOP)
    assert verdict.kind is kind
    assert decisive in verdict.reasons[0]


def test_leak_is_counted_and_a_re_run_that_failed_has_no_value() -> None:
    cut = CausalityCut(("A",), an_opening().at.date(), CutReason.PROFIT, Outcome.LOOKAHEAD, 3, "x")
    fine = replace(cut, outcome=Outcome.SUCCEEDED)
    leak = CausalityEvidence(Outcome.LOOKAHEAD, "order 3 differs", (cut, fine, cut))
    rule = judge_promotion(perfect(causality=leak), ())[0]
    assert (rule.status, rule.value, rule.evidence) == (FAILED, 2.0, "order 3 differs")
    unstable = CausalityEvidence(Outcome.NONDETERMINISTIC, "other orders")
    assert judge_promotion(perfect(causality=unstable), ())[0].value == 1.0
    slow = CausalityEvidence(Outcome.TIMEOUT_WALL, "too slow")
    rule = judge_promotion(perfect(causality=slow), ())[0]
    assert (rule.status, rule.value) == (FAILED, None)


def test_sealed_replay_with_other_orders_fails_causality() -> None:
    peeked = SealedReplayEvidence(Outcome.LOOKAHEAD, "other orders", 2)
    assert statuses(perfect(sealed_replay=peeked)) == (FAILED, PASSED, PASSED, PASSED)
    assert statuses(perfect(sealed_replay=None))[0] is NOT_RUN


def test_inconclusive_statistic_passes_no_rule_and_fails_none() -> None:
    unknown = some_statistics(spa=NOTHING)
    unknown = replace(unknown, deflated=replace(unknown.deflated, raw_count=NOTHING))
    examination = perfect(statistics=unknown, holdout=some_holdout(bound=NOTHING))
    assert statuses(examination) == (PASSED, NOT_RUN, NOT_RUN, NOT_RUN)
    assert "inconclusive: too few" in judge_promotion(examination, ())[1].evidence
    assert reach_verdict([], examination, STOP).kind is VerdictKind.ITERATE


def test_holdout_that_could_not_be_replayed_is_a_failed_rule_without_a_value() -> None:
    forged = some_holdout(outcome=Outcome.FORGED, reason="bar 3 differs", bound=None)
    rule = judge_promotion(perfect(holdout=forged), ())[-1]
    assert (rule.status, rule.value) == (FAILED, None)
    assert "bar 3 differs" in rule.evidence


def test_rule_that_has_not_run_says_why() -> None:
    sealed = perfect(holdout=None)
    manual = judge_promotion(sealed, (), HoldoutMode.MANUAL)[-1]
    assert "open-holdout" in manual.evidence
    unworthy = replace(with_spa(0.9), holdout=None)
    assert judge_promotion(unworthy, ())[-1].evidence == "not opened: hansen_spa did not pass"
    impossible = replace(sealed, failures={CheckName.HOLDOUT: "intraday"})
    assert judge_promotion(impossible, ())[-1].evidence == "intraday"
    failed = perfect(statistics=None, failures={CheckName.STATISTICS: "a file is gone"})
    assert judge_promotion(failed, ())[1].evidence == "a file is gone"


@pytest.mark.parametrize(
    ("examination", "worthy"),
    [
        (perfect(holdout=None), True),
        (with_deflated(0.9), False),
        (with_spa(0.9), False),
        (perfect(causality=None), False),
        (perfect(sealed_replay=None), False),
        (perfect(statistics=None), False),
    ],
)
def test_holdout_is_only_for_who_passed_every_other_rule(
    examination: Examination, worthy: bool
) -> None:
    assert may_open_holdout(examination, ()) is worthy


def test_every_look_at_a_holdout_raises_the_confidence_that_it_takes() -> None:
    assert holdout_confidence(1) == 0.95
    confidences = [holdout_confidence(looks) for looks in range(1, 50)]
    assert confidences == sorted(set(confidences))
    assert holdout_confidence(10) == pytest.approx(0.995)
    # All looks together are allowed no more errors than the first one alone.
    for looks in (1, 3, 20):
        assert looks * (1 - holdout_confidence(looks)) == pytest.approx(0.05)
