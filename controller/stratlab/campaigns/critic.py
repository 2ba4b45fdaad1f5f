"""The rule critic: proposes the next change from training metrics and coarse validation rank."""

from collections.abc import Sequence
from typing import final

from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.strategy import Critique

# What a failed gate suggests; operators are those of the factor graph.
_REMEDIES = (
    ("min_total_trades", "remove_factor", "it trades too rarely, so one condition is taken away"),
    ("max_turnover", "add_factor", "it trades too often, so a further condition is added"),
    ("max_drawdown", "add_factor", "its drawdown is too deep, so a further filter is added"),
    ("min_sharpe_ratio", "replace_factor", "its return does not pay for its risk"),
    ("max_oos_degradation", "remove_factor", "it does worse later, so it is made simpler"),
)


@final
class RuleCritic:
    """Implements the ``Critic`` port without a model."""

    def criticise(self, request: GenerationRequest, latest: IterationSummary) -> Critique:
        """Return the change for the iteration after ``latest``.

        The parent is the best candidate so far by train score among those that passed the
        gates, or by train score alone when none has.
        """
        history = [*request.history, latest]
        parent = best_so_far(history)
        if parent is None or parent.candidate is None:
            return Critique(operator="", parent="", reason="nothing has worked yet; try elsewhere")
        if latest.candidate is None or latest.train_score is None:
            return Critique(
                operator="replace_factor",
                parent=parent.candidate.hash,
                reason="the last candidate failed; go back to the best one and change a part",
            )
        failed = latest.feedback.summary if latest.feedback else ""
        for gate, operator, reason in _REMEDIES:
            if not latest.passed_gates and gate in failed:
                return Critique(operator=operator, parent=latest.candidate.hash, reason=reason)
        if latest.candidate.hash == parent.candidate.hash:
            return Critique(
                operator="perturb_parameter",
                parent=parent.candidate.hash,
                reason="the last candidate is the best so far; look close to it",
            )
        return Critique(operator="", parent=parent.candidate.hash, reason="work on the best so far")


def best_so_far(history: Sequence[IterationSummary]) -> IterationSummary | None:
    """Return the best iteration: passed gates first, then train score, then the earlier one."""
    scored = [
        summary for summary in history if summary.candidate and summary.train_score is not None
    ]
    return max(
        scored,
        key=lambda summary: (
            summary.passed_gates,
            summary.train_score or 0.0,
            -summary.number,
        ),
        default=None,
    )
