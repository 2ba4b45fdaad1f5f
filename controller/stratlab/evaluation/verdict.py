"""The verdict of a campaign, with the rule that decided it."""

from collections.abc import Sequence

from stratlab.domain.campaign import Evaluation, HallOfFameEntry, Iteration
from stratlab.domain.gates import Level, Verdict, VerdictKind

MISSING_CHECKS = ("causality", "deflated_sharpe_ratio", "hansen_spa", "holdout")
"""Checks that a promotion needs and that do not exist yet; without them nothing is promoted."""


def reach_verdict(
    iterations: Sequence[Iteration], hall_of_fame: Sequence[HallOfFameEntry], stop_reason: str
) -> Verdict:
    """Return the verdict: ``iterate`` when a candidate passed every gate, else ``reject``.

    The candidate it is about is the champion of the hall of fame, or else the best one that
    failed: highest level, then most gates passed, then score, then the earlier iteration. A
    rejection names that candidate's first failed gate with value and bound.

    Args:
        iterations: All of the campaign, in order.
        hall_of_fame: Admitted candidates, the champion first.
        stop_reason: Why the campaign ended, one sentence.
    """
    stopped = f"stopped: {stop_reason}"
    if hall_of_fame:
        champion = hall_of_fame[0]
        decisive = (
            f"the candidate of iteration {champion.iteration} passed every gate with score "
            f"{champion.score:.4f}, but checks that a promotion needs have not run: "
            f"{', '.join(MISSING_CHECKS)}"
        )
        reasons = (decisive, stopped)
        return Verdict(VerdictKind.ITERATE, champion.candidate_hash, reasons, MISSING_CHECKS)
    judged = [
        (iteration, iteration.evaluation)
        for iteration in iterations
        if iteration.evaluation is not None and iteration.candidate is not None
    ]
    if not judged:
        reasons = ("no candidate was evaluated", stopped)
        return Verdict(VerdictKind.REJECT, "", reasons, MISSING_CHECKS)
    best, evaluation = max(judged, key=lambda item: (*_merit(item[1]), -item[0].number))
    decisive = (
        f"no candidate passed every gate; the best one, of iteration {best.number}, "
        f"{_shortfall(evaluation)}"
    )
    candidate = best.candidate.hash if best.candidate else ""
    return Verdict(VerdictKind.REJECT, candidate, (decisive, stopped), MISSING_CHECKS)


def _merit(evaluation: Evaluation) -> tuple[int, int, float]:
    passed = sum(gate.passed for gate in evaluation.gates)
    return int(evaluation.level), passed, -1.0 if evaluation.score is None else evaluation.score


def _shortfall(evaluation: Evaluation) -> str:
    failed = next((gate for gate in evaluation.gates if not gate.passed), None)
    if failed is not None:
        value = "undefined" if failed.value is None else f"{failed.value:.4f}"
        return f"failed gate {failed.gate}: {value}, bound {failed.bound:g}"
    if evaluation.level < Level.VALID_METRICS:
        return "has no valid metrics"
    return "has no defined score"
