"""The rule critic: proposes the next change from training metrics and coarse validation rank."""

from typing import final

from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.strategy import Critique
from stratlab.search.archive import Archive, island_of
from stratlab.search.operators import CROSSOVER, least_used

# What a failed gate suggests; of several operators the one that was used least comes first.
_REMEDIES = (
    (
        "min_total_trades",
        ("loosen_threshold", "remove_factor"),
        "it trades too rarely, so a condition is loosened or taken away",
    ),
    (
        "max_turnover",
        ("tighten_threshold", "add_factor"),
        "it trades too often, so more is demanded at the entry",
    ),
    (
        "max_drawdown",
        ("add_exit", "change_exit", "add_factor"),
        "its drawdown is too deep, so positions are protected in another way",
    ),
    (
        "min_sharpe_ratio",
        ("replace_factor", "swap_rule", CROSSOVER),
        "its return does not pay for its risk, so a part of the signal is exchanged",
    ),
    (
        "max_oos_degradation",
        ("remove_factor",),
        "it does worse later, so it is made simpler",
    ),
)


@final
class RuleCritic:
    """Implements the ``Critic`` port without a model."""

    def criticise(self, request: GenerationRequest, latest: IterationSummary) -> Critique:
        """Return the change for the iteration after ``latest``.

        It is for the island whose turn comes then. A candidate that won a cell there in the
        island's last turn is worked on: mended where it failed a gate, explored close by where it
        is the island's best. Otherwise the generator chooses among the island's elites.
        """
        history = [*request.history, latest]
        islands = request.campaign.spec.islands
        island = island_of(latest.number + 1, islands)
        archive = Archive(islands, history)
        best = archive.best(island)
        if best is None:
            return Critique("", "", f"nothing has worked on island {island} yet; try elsewhere")
        own = [summary for summary in history if island_of(summary.number, islands) == island]
        # Its best elite may have come from another island before it had a turn.
        last = own[-1] if own else latest
        if last.candidate is None or last.train_score is None:
            operator = least_used(("replace_factor", "swap_rule"), history)[0]
            reason = "the last candidate failed; go back to the best one and change a part"
            return Critique(operator, best.candidate.hash, reason)
        if last.number not in {elite.number for elite in archive.elites(island)}:
            return Critique("", "", "the last candidate won no cell; work on one that holds one")
        failed = last.feedback.summary if last.feedback else ""
        for gate, operators, reason in _REMEDIES:
            if not last.passed_gates and gate in failed:
                return Critique(least_used(operators, history)[0], last.candidate.hash, reason)
        if last.number == best.number:
            reason = "the last candidate is the best of its island; look close to it"
            return Critique("perturb_parameter", last.candidate.hash, reason)
        return Critique("", last.candidate.hash, "the last candidate won a cell; work on it")
