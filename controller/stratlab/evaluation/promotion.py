"""The rules of a promotion: each one's value, bound and evidence, judged one by one."""

from collections.abc import Sequence
from typing import Final

from stratlab.domain.campaign import Iteration
from stratlab.domain.examination import (
    CausalityEvidence,
    CheckName,
    Examination,
    HoldoutMode,
    SealedReplayEvidence,
    StatisticsEvidence,
)
from stratlab.domain.gates import RuleResult, RuleStatus
from stratlab.domain.statistics import Inconclusive
from stratlab.domain.trial import Outcome
from stratlab.evaluation.foreknowledge import judge_foreknowledge

CAUSALITY: Final = "causality"
DEFLATED_SHARPE_RATIO: Final = "deflated_sharpe_ratio"
HANSEN_SPA: Final = "hansen_spa"
HOLDOUT: Final = "holdout"
RULES: Final = (CAUSALITY, DEFLATED_SHARPE_RATIO, HANSEN_SPA, HOLDOUT)
"""Names of the rules that every candidate is judged by, in their order; of what language models had
a hand in, foreknowledge is judged too, before the holdout."""

MIN_DEFLATED_SHARPE_RATIO: Final = 0.95
MAX_SPA_P_VALUE: Final = 0.05
MAX_LOOKAHEADS: Final = 0
MIN_HOLDOUT_SHARPE: Final = 0.0
HOLDOUT_ERROR: Final = 0.05
"""Probability of a false promotion that the holdout alone would let pass, over all looks at it."""


def judge_promotion(
    examination: Examination,
    iterations: Sequence[Iteration],
    mode: HoldoutMode = HoldoutMode.ONCE_FOR_FINALIST,
) -> tuple[RuleResult, ...]:
    """Judge every rule of a promotion, the holdout last; those without evidence have not run.

    Bounds are open: a deflated Sharpe ratio of exactly 0.95 fails. A statistic that is inconclusive
    has no value: it passes no rule and fails none.

    Args:
        examination: What is known about the candidate.
        iterations: All of the campaign, for the candidate's ancestry.
        mode: Who opens the holdout; said where it was not opened.
    """
    foreknowledge = judge_foreknowledge(examination.subject.candidate_hash, iterations)
    before = (
        _causality(examination.causality, examination.sealed_replay, examination),
        _deflated(examination.statistics, examination),
        _spa(examination.statistics, examination),
        *(() if foreknowledge is None else (foreknowledge,)),
    )
    return (*before, _holdout(examination, before, mode))


def may_open_holdout(examination: Examination, iterations: Sequence[Iteration]) -> bool:
    """Whether a candidate passed every rule but that of the holdout.

    Args:
        examination: What is known about the candidate.
        iterations: All of the campaign, for the candidate's ancestry.
    """
    return all(
        rule.status is RuleStatus.PASSED
        for rule in judge_promotion(examination, iterations)
        if rule.name != HOLDOUT
    )


def holdout_confidence(looks: int) -> float:
    """Return the confidence that the bound of the holdout's Sharpe ratio needs.

    Bonferroni's correction: each of ``looks`` looks at one holdout is allowed an equal part of
    :data:`HOLDOUT_ERROR`, counted at the time of the look.

    Args:
        looks: Different looks at this data set's holdout so far, this one included.

    Source: R. G. Miller, "Simultaneous Statistical Inference", 2nd edition, Springer 1981, 1.1.
    """
    return 1.0 - HOLDOUT_ERROR / looks


def _causality(
    evidence: CausalityEvidence | None,
    sealed: SealedReplayEvidence | None,
    examination: Examination,
) -> RuleResult:
    # The value is the number of re-runs and replays whose orders differ.
    bound = float(MAX_LOOKAHEADS)
    if evidence is None:
        return _not_run(CAUSALITY, bound, examination, CheckName.CAUSALITY)
    if not evidence.is_clean:
        differing = [cut for cut in evidence.cuts if cut.outcome is Outcome.LOOKAHEAD]
        value = float(max(len(differing), 1)) if evidence.outcome in _UNTRUE else None
        return _rule(CAUSALITY, value, bound, evidence.reason, passed=False)
    if sealed is None:
        return _not_run(CAUSALITY, bound, examination, CheckName.SEALED_REPLAY)
    if sealed.outcome is not Outcome.SUCCEEDED:
        value = 1.0 if sealed.outcome in _UNTRUE else None
        return _rule(CAUSALITY, value, bound, sealed.reason, passed=False)
    return _rule(CAUSALITY, 0.0, bound, f"{evidence.reason}; {sealed.reason}", passed=True)


_UNTRUE = frozenset({Outcome.LOOKAHEAD, Outcome.NONDETERMINISTIC})


def _deflated(evidence: StatisticsEvidence | None, examination: Examination) -> RuleResult:
    name, bound = DEFLATED_SHARPE_RATIO, MIN_DEFLATED_SHARPE_RATIO
    if evidence is None:
        return _not_run(name, bound, examination, CheckName.STATISTICS)
    found = evidence.deflated.raw_count
    if isinstance(found, Inconclusive):
        return _inconclusive(name, bound, found)
    sentence = (
        f"Sharpe ratio {found.sharpe.value:.4f} a session in excess of the benchmark over "
        f"{found.observations} sessions of train and validation; the best of N = {found.trials} "
        f"trials without skill is expected to show {found.luck.value:.4f}"
    )
    return _rule(name, found.probability, bound, sentence, passed=found.probability > bound)


def _spa(evidence: StatisticsEvidence | None, examination: Examination) -> RuleResult:
    name, bound = HANSEN_SPA, MAX_SPA_P_VALUE
    if evidence is None:
        return _not_run(name, bound, examination, CheckName.STATISTICS)
    found = evidence.spa
    if isinstance(found, Inconclusive):
        return _inconclusive(name, bound, found)
    sentence = (
        f"consistent p-value of the best of {found.trials} trials over {found.observations} "
        f"sessions in excess of the benchmark, {found.resampling.resamples} resamples"
    )
    return _rule(name, found.p_value, bound, sentence, passed=found.p_value < bound)


def _holdout(
    examination: Examination, before: tuple[RuleResult, ...], mode: HoldoutMode
) -> RuleResult:
    name, bound = HOLDOUT, MIN_HOLDOUT_SHARPE
    evidence = examination.holdout
    if evidence is None:
        if reason := examination.failures.get(CheckName.HOLDOUT):
            return RuleResult(name, RuleStatus.NOT_RUN, None, bound, reason)
        open_rules = [rule.name for rule in before if rule.status is not RuleStatus.PASSED]
        sentence = "not opened: an operator has to, with `stratlab campaign open-holdout`"
        if open_rules:
            sentence = f"not opened: {', '.join(open_rules)} did not pass"
        elif mode is HoldoutMode.ONCE_FOR_FINALIST:
            sentence = "not opened"
        return RuleResult(name, RuleStatus.NOT_RUN, None, bound, sentence)
    found, opening = evidence.bound, evidence.opening
    look = f"look {opening.looks} at the holdout of {opening.data_set}"
    if found is None:
        return _rule(name, None, bound, f"{evidence.reason}; {look}", passed=False)
    if isinstance(found, Inconclusive):
        return _inconclusive(name, bound, found)
    sentence = (
        f"one-sided {found.confidence:.2%} lower bound of the annual Sharpe ratio "
        f"{found.annual:.4f} in excess of the benchmark over {found.observations} sessions, by "
        f"sealed replay; {look}"
    )
    return _rule(name, found.annual_lower, bound, sentence, passed=found.annual_lower > bound)


def _rule(
    name: str, value: float | None, bound: float, evidence: str, *, passed: bool
) -> RuleResult:
    status = RuleStatus.PASSED if passed else RuleStatus.FAILED
    return RuleResult(name, status, value, bound, evidence)


def _inconclusive(name: str, bound: float, found: Inconclusive) -> RuleResult:
    return RuleResult(name, RuleStatus.NOT_RUN, None, bound, f"inconclusive: {found.message}")


def _not_run(name: str, bound: float, examination: Examination, check: CheckName) -> RuleResult:
    reason = examination.failures.get(check, f"the check {check} has not run")
    return RuleResult(name, RuleStatus.NOT_RUN, None, bound, reason)
