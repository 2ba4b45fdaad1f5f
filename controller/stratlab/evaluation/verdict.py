"""The verdict of a campaign, with the rule that decided it."""

from collections.abc import Sequence

from stratlab.domain.campaign import Evaluation, HallOfFameEntry, HallOfFameTier, Iteration
from stratlab.domain.examination import Examination, HoldoutMode
from stratlab.domain.gates import Level, RuleResult, RuleStatus, Verdict, VerdictKind
from stratlab.evaluation.promotion import HOLDOUT, RULES, judge_promotion


def finalist_of(hall_of_fame: Sequence[HallOfFameEntry]) -> HallOfFameEntry | None:
    """Return the champion, the only candidate that a campaign may promote; None without one."""
    return next((e for e in hall_of_fame if e.tier is HallOfFameTier.CHAMPION), None)


def reach_verdict(
    iterations: Sequence[Iteration],
    examination: Examination | None,
    stop_reason: str,
    mode: HoldoutMode = HoldoutMode.ONCE_FOR_FINALIST,
) -> Verdict:
    """Return the verdict: ``promote_candidate`` when every rule passed, and only then.

    With a finalist it is about the finalist: ``reject`` when the holdout was opened and failed,
    for nothing can be tried on it again without deflating; otherwise ``iterate``. Without one it
    is ``reject`` and about the best candidate that failed: highest level, then most gates passed,
    then score, then the earlier iteration. The first reason names what decided, with value and
    bound.

    Args:
        iterations: All of the campaign, in order.
        examination: Of the finalist, None when no candidate was admitted to the hall of fame.
        stop_reason: Why the campaign ended, one sentence.
        mode: Who opens the holdout.
    """
    stopped = f"stopped: {stop_reason}"
    if examination is not None:
        return _of_finalist(examination, iterations, stopped, mode)
    judged = [
        (iteration, iteration.evaluation)
        for iteration in iterations
        if iteration.evaluation is not None and iteration.candidate is not None
    ]
    if not judged:
        reasons = ("no candidate was evaluated", stopped)
        return Verdict(VerdictKind.REJECT, "", reasons, RULES)
    best, evaluation = max(judged, key=lambda item: (*_merit(*item), -item[0].number))
    decisive = (
        f"no candidate passed every gate; the best one, of iteration {best.number}, "
        f"{_shortfall(best, evaluation)}"
    )
    candidate = best.candidate.hash if best.candidate else ""
    return Verdict(VerdictKind.REJECT, candidate, (decisive, stopped), RULES)


def _of_finalist(
    examination: Examination, iterations: Sequence[Iteration], stopped: str, mode: HoldoutMode
) -> Verdict:
    rules = judge_promotion(examination, iterations, mode)
    subject = examination.subject
    who = f"the candidate of iteration {subject.iteration} passed every gate"
    failed = [rule for rule in rules if rule.status is RuleStatus.FAILED]
    not_run = tuple(rule.name for rule in rules if rule.status is RuleStatus.NOT_RUN)
    kind = VerdictKind.ITERATE
    if failed:
        decisive = f"{who}, but failed the rule {_text(failed[0])}"
        if failed[-1].name == HOLDOUT:
            kind = VerdictKind.REJECT
    elif not_run:
        decisive = f"{who}, but rules that a promotion needs have not run: {', '.join(not_run)}"
    else:
        decisive = f"{who} and every rule of a promotion"
        kind = VerdictKind.PROMOTE_CANDIDATE
    details = tuple(f"{rule.status}: {_text(rule)}" for rule in rules)
    return Verdict(kind, subject.candidate_hash, (decisive, *details, stopped), not_run, rules)


def _text(rule: RuleResult) -> str:
    value = "no value" if rule.value is None else f"{rule.value:.4f}"
    return f"{rule.name}: {value}, bound {rule.bound:g} ({rule.evidence})"


def _merit(iteration: Iteration, evaluation: Evaluation) -> tuple[bool, int, int, float]:
    passed = sum(gate.passed for gate in evaluation.gates)
    score = -1.0 if evaluation.score is None else evaluation.score
    return not iteration.failure, int(evaluation.level), passed, score


def _shortfall(iteration: Iteration, evaluation: Evaluation) -> str:
    if iteration.failure:
        return f"was not admitted: {iteration.failure}"
    failed = next((gate for gate in evaluation.gates if not gate.passed), None)
    if failed is not None:
        value = "undefined" if failed.value is None else f"{failed.value:.4f}"
        return f"failed gate {failed.gate}: {value}, bound {failed.bound:g}"
    if evaluation.level < Level.VALID_METRICS:
        return "has no valid metrics"
    return "has no defined score"
