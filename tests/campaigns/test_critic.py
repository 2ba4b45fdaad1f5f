"""The rule critic and what it is allowed to know."""

from dataclasses import fields, replace

import pytest
from tests.search.histories import request_after, summary_of

from stratlab.campaigns.critic import RuleCritic
from stratlab.domain.generation import IterationSummary
from stratlab.domain.search import Islands
from stratlab.domain.strategy import Critique
from stratlab.generation import load_templates
from stratlab.search.operators import OPERATORS

TEMPLATES = list(load_templates().values())
ALONE = Islands(count=1)


def criticise(*history: IterationSummary, islands: Islands = ALONE) -> Critique:
    return RuleCritic().criticise(request_after(list(history[:-1]), islands), history[-1])


def hash_of(summary: IterationSummary) -> str:
    assert summary.candidate is not None
    return summary.candidate.hash


def test_summary_has_no_field_for_validation_figures_or_holdout() -> None:
    names = {field.name for field in fields(IterationSummary)}
    assert names == {
        "number",
        "candidate",
        "train_score",
        "validation_rank",
        "passed_gates",
        "feedback",
        # Of the train tier.
        "turnover",
        "max_drawdown",
        "duplicate_of",
        "screened_out",
        # Who was asked, for the choice among models.
        "model",
    }


@pytest.mark.parametrize(
    ("gate", "operators"),
    [
        ("min_total_trades", {"loosen_threshold", "remove_factor"}),
        ("max_turnover", {"tighten_threshold", "add_factor"}),
        ("max_drawdown", {"add_exit", "change_exit", "add_factor"}),
        ("min_sharpe_ratio", {"replace_factor", "swap_rule", "crossover"}),
        ("max_oos_degradation", {"remove_factor"}),
    ],
)
def test_failed_gate_chooses_an_operator_that_mends_it_and_each_has_its_turn(
    gate: str, operators: set[str]
) -> None:
    history, asked = [], set()
    for number, _ in enumerate(operators, start=1):
        latest = summary_of(number, score=number / 10, failed_gate=gate)
        critique = criticise(*history, latest)
        assert critique.parent == hash_of(latest)
        asked.add(critique.operator)
        # The next candidate is what was asked for.
        used = replace(latest.candidate.lineage, operator=critique.operator)
        history.append(replace(latest, candidate=replace(latest.candidate, lineage=used)))
    assert asked == operators
    assert asked <= set(OPERATORS)


def test_failed_candidate_sends_the_search_back_to_the_best() -> None:
    worked, failed = summary_of(1, TEMPLATES[0]), summary_of(2, TEMPLATES[1], score=None)
    critique = criticise(worked, failed)
    assert critique.parent == hash_of(worked)
    assert critique.operator in {"replace_factor", "swap_rule"}


def test_new_best_is_explored_close_by() -> None:
    best = summary_of(2, TEMPLATES[1], score=0.6, passed=True)
    critique = criticise(summary_of(1, TEMPLATES[0], score=0.2, passed=True), best)
    assert (critique.operator, critique.parent) == ("perturb_parameter", hash_of(best))


def test_candidate_that_won_no_cell_leaves_the_choice_to_the_generator() -> None:
    critique = criticise(summary_of(1, score=0.6), summary_of(2, score=0.2, failed_gate="x"))
    assert (critique.operator, critique.parent) == ("", "")


def test_critique_is_about_the_island_whose_turn_is_next() -> None:
    first, second = summary_of(1, TEMPLATES[0], passed=True), summary_of(2, TEMPLATES[1])
    critique = criticise(first, second, islands=Islands(count=2))
    assert critique.parent == hash_of(first)


def test_nothing_working_yet_leaves_the_choice_to_the_generator() -> None:
    critique = criticise(summary_of(1, score=None))
    assert (critique.operator, critique.parent) == ("", "")
