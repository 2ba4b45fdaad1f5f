"""The rule critic and what it is allowed to know."""

from dataclasses import fields
from datetime import UTC, datetime

from tests.suites.small_lab import small_spec

from stratlab.campaigns.critic import RuleCritic, best_so_far
from stratlab.domain.campaign import Campaign, CampaignState, Feedback
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def summary(
    number: int, score: float | None, *, passed: bool = True, failed_gate: str = ""
) -> IterationSummary:
    lineage = Lineage(GeneratorKind.TEMPLATE, "template")
    return IterationSummary(
        number=number,
        candidate=Candidate(f"h{number}", "s", "", "", "", {}, lineage),
        train_score=score,
        validation_rank="",
        passed_gates=passed,
        feedback=Feedback("success", f"figures; failed {failed_gate}", "", ""),
    )


def request(*history: IterationSummary) -> GenerationRequest:
    campaign = Campaign("c", small_spec(), "d", CampaignState.CAMPAIGN_EVALUATED, NOW, NOW)
    return GenerationRequest(campaign, len(history) + 1, history, None)


def test_summary_has_no_field_for_validation_figures_or_holdout() -> None:
    names = {field.name for field in fields(IterationSummary)}
    assert names == {
        "number",
        "candidate",
        "train_score",
        "validation_rank",
        "passed_gates",
        "feedback",
    }


def test_passing_gates_beats_a_better_score_and_earlier_beats_later() -> None:
    passed, better, later = (
        summary(1, 0.4),
        summary(2, 0.9, passed=False),
        summary(3, 0.4),
    )
    assert best_so_far([passed, better, later]) is passed
    assert best_so_far([summary(1, None)]) is None


def test_failed_gate_chooses_the_operator_that_mends_it() -> None:
    latest = summary(2, 0.3, passed=False, failed_gate="min_total_trades")
    critique = RuleCritic().criticise(request(summary(1, 0.5)), latest)
    assert critique.operator == "remove_factor"
    assert critique.parent == "h2"


def test_failed_candidate_sends_the_search_back_to_the_best() -> None:
    critique = RuleCritic().criticise(request(summary(1, 0.5)), summary(2, None, passed=False))
    assert critique.parent == "h1"
    assert critique.operator == "replace_factor"


def test_new_best_is_explored_close_by() -> None:
    critique = RuleCritic().criticise(request(summary(1, 0.2)), summary(2, 0.6))
    assert (critique.operator, critique.parent) == ("perturb_parameter", "h2")


def test_nothing_working_yet_leaves_the_choice_to_the_generator() -> None:
    critique = RuleCritic().criticise(request(), summary(1, None))
    assert (critique.operator, critique.parent) == ("", "")
