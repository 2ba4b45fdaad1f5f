"""What a model may remember is never promoted, nor what descends from it."""

import json
from dataclasses import replace
from datetime import date

import pytest
from tests.llm.histories import NOW, a_candidate, a_request
from tests.llm.test_injections import Scripted, a_brief, the_form
from tests.suites.small_lab import PanelData

from stratlab.domain.campaign import Iteration
from stratlab.domain.gates import RuleStatus, Verdict, VerdictKind
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.evaluation.foreknowledge import FOREKNOWLEDGE, without_foreknowledge
from stratlab.generation.authors import Author, AuthorSettings, HybridGenerator

PROMOTED = Verdict(VerdictKind.PROMOTE_CANDIDATE, f"{2:064d}", ("every rule passed",))


def campaign(*candidates: Candidate) -> list[Iteration]:
    return [Iteration("c1", n, NOW, candidate=c) for n, c in enumerate(candidates, start=1)]


def of(number: int, **lineage: object) -> Candidate:
    made = a_candidate(number)
    return replace(made, lineage=replace(made.lineage, **lineage))


def test_candidate_written_blind_keeps_its_promotion_and_says_so() -> None:
    judged = without_foreknowledge(PROMOTED, campaign(of(1), of(2)))
    assert judged.kind is VerdictKind.PROMOTE_CANDIDATE
    assert [(rule.name, rule.status) for rule in judged.rules] == [
        (FOREKNOWLEDGE, RuleStatus.PASSED)
    ]


def test_candidate_of_a_model_that_saw_names_gets_iterate_at_most() -> None:
    judged = without_foreknowledge(PROMOTED, campaign(of(2, may_foreknow=True)))
    assert judged.kind is VerdictKind.ITERATE
    assert judged.rules[-1].status is RuleStatus.FAILED
    assert FOREKNOWLEDGE in judged.reasons[0]


def test_descendant_of_such_a_candidate_gets_iterate_at_most() -> None:
    parent = of(1, may_foreknow=True)
    child = replace(
        a_candidate(2),
        lineage=Lineage(GeneratorKind.FACTOR_GRAPH, "add_factor", parents=(parent.hash,)),
    )
    assert without_foreknowledge(PROMOTED, campaign(parent, child)).kind is VerdictKind.ITERATE


@pytest.mark.parametrize("kind", [VerdictKind.ITERATE, VerdictKind.REJECT])
def test_rule_never_raises_a_verdict(kind: VerdictKind) -> None:
    verdict = replace(PROMOTED, kind=kind)
    judged = without_foreknowledge(verdict, campaign(of(2, may_foreknow=True)))
    assert (judged.kind, judged.reasons) == (kind, verdict.reasons)


def test_verdict_about_what_no_model_wrote_is_left_alone() -> None:
    lineage = Lineage(GeneratorKind.TEMPLATE, "template")
    own = replace(a_candidate(2), lineage=lineage)
    assert without_foreknowledge(PROMOTED, campaign(own)) == PROMOTED


@pytest.mark.parametrize(
    ("blind", "known_until", "may_foreknow"),
    [
        (True, None, False),
        (False, None, True),
        (False, date(2019, 12, 31), False),
        (False, date(2030, 1, 1), True),
    ],
)
def test_lineage_says_whether_the_model_may_know_the_holdout(
    blind: bool, known_until: date | None, may_foreknow: bool
) -> None:
    settings = AuthorSettings(
        ("claude-test",),
        is_blind=blind,
        known_until={} if known_until is None else {"claude-test": known_until},
    )
    models = Scripted([a_brief(), json.dumps(the_form())])
    author = Author(models, settings, PanelData(), lambda: "surface")
    lineage = HybridGenerator(author).generate(a_request()).lineage
    assert (lineage.is_blind, lineage.may_foreknow) == (blind, may_foreknow)
    shown = models.calls[0].prompt.turns[0].text
    assert ("AAA" in shown) is not blind
