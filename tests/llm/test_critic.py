"""The critic by model: what it proposes is checked, and where it fails the rules speak."""

import json

from structlog.testing import capture_logs
from tests.llm.histories import a_request, a_summary
from tests.llm.test_injections import HARMLESS, INJECTIONS, Scripted, unquoted
from tests.suites.small_lab import PanelData

from stratlab.campaigns.critic import RuleCritic
from stratlab.campaigns.model_critic import ModelCritic
from stratlab.domain.campaign import Feedback
from stratlab.domain.strategy import Critique
from stratlab.generation.authors import Author, AuthorSettings

LATEST = a_summary(2)
REQUEST = a_request([a_summary(1)])


def critique(**answer: str) -> Critique:
    models = Scripted([json.dumps(answer)])
    author = Author(models, AuthorSettings(("claude-test",)), PanelData(), lambda: "surface")
    return ModelCritic(author, RuleCritic()).criticise(REQUEST, LATEST)


def of_the_rules() -> Critique:
    return RuleCritic().criticise(REQUEST, LATEST)


def test_proposal_names_an_operator_and_a_candidate_of_the_past() -> None:
    found = critique(operator="tighten_threshold", parent="C1", reason="It trades too often.")
    parent = REQUEST.history[0].candidate.hash
    assert found == Critique("tighten_threshold", parent, "It trades too often.")
    newest = critique(parent="C2", reason="Go on with it.")
    assert newest == Critique("", LATEST.candidate.hash, "Go on with it.")


def test_proposal_that_cannot_be_used_is_replaced_by_that_of_the_rules() -> None:
    with capture_logs() as logs:
        assert critique(operator="make_it_better", reason="because") == of_the_rules()
    (logged,) = [entry for entry in logs if entry["event"] == "critic_fallback"]
    assert "make_it_better" in logged["reason"]


def test_planted_texts_in_a_critique_are_its_reason_or_nothing() -> None:
    expected = of_the_rules()
    for text in INJECTIONS:
        assert critique(operator=text, reason=HARMLESS) == expected, text
        assert critique(parent=text, reason=HARMLESS) == expected, text
        assert critique(reason=text) == Critique("", "", text)


def told(text: str) -> list[str]:
    models = Scripted([json.dumps({"reason": HARMLESS})])
    author = Author(models, AuthorSettings(("claude-test",)), PanelData(), lambda: "surface")
    feedback = Feedback("failure", text, text, text)
    request = a_request([a_summary(1, feedback=feedback)], prompt=text, constraints=(text,))
    ModelCritic(author, RuleCritic()).criticise(request, a_summary(2, feedback=feedback))
    return [turn.text for call in models.calls for turn in call.prompt.turns]


def test_planted_texts_reach_the_critic_as_data_only() -> None:
    expected = list(map(unquoted, told(HARMLESS)))
    for text in INJECTIONS:
        assert list(map(unquoted, told(text))) == expected, text
