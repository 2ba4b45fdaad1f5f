"""What a model may remember is never promoted, nor what descends from it."""

import json
from dataclasses import replace
from datetime import date

import pytest
from tests.examination.test_promotion import perfect, with_bound
from tests.llm.histories import NOW, a_candidate, a_request
from tests.llm.test_injections import Scripted, a_brief, the_form
from tests.suites.examination_suite import SUBJECT
from tests.suites.small_lab import PanelData

from stratlab.domain.campaign import Iteration
from stratlab.domain.examination import Examination
from stratlab.domain.gates import RuleStatus, VerdictKind
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.evaluation import reach_verdict
from stratlab.evaluation.foreknowledge import FOREKNOWLEDGE, judge_foreknowledge
from stratlab.evaluation.promotion import HOLDOUT, RULES, judge_promotion, may_open_holdout
from stratlab.generation.authors import Author, AuthorSettings, HybridGenerator

STOP = "MAX_ITERATIONS: 3, bound 3"


def campaign(*candidates: Candidate) -> list[Iteration]:
    return [Iteration("c1", n, NOW, candidate=c) for n, c in enumerate(candidates, start=1)]


def of(number: int, **lineage: object) -> Candidate:
    made = a_candidate(number)
    return replace(made, lineage=replace(made.lineage, **lineage))


def of_the_second(**changes: object) -> Examination:
    """Return an examination of the second candidate that passes every other rule."""
    subject = replace(SUBJECT, candidate_hash=f"{2:064d}")
    return replace(perfect(), subject=subject, **changes)


def test_candidate_written_blind_is_promoted_and_the_verdict_says_so() -> None:
    iterations = campaign(of(1), of(2))
    assert may_open_holdout(of_the_second(holdout=None), iterations)
    verdict = reach_verdict(iterations, of_the_second(), STOP)
    assert verdict.kind is VerdictKind.PROMOTE_CANDIDATE
    statuses = {rule.name: rule.status for rule in verdict.rules}
    assert list(statuses) == [*RULES[:-1], FOREKNOWLEDGE, HOLDOUT]
    assert statuses[FOREKNOWLEDGE] is RuleStatus.PASSED


def knowing_itself() -> list[Iteration]:
    return campaign(of(1), of(2, may_foreknow=True))


def knowing_parent() -> list[Iteration]:
    parent = of(1, may_foreknow=True)
    lineage = Lineage(GeneratorKind.FACTOR_GRAPH, "add_factor", parents=(parent.hash,))
    return campaign(parent, replace(a_candidate(2), lineage=lineage))


@pytest.mark.parametrize("iterations", [knowing_itself(), knowing_parent()])
def test_what_a_model_that_saw_names_had_a_hand_in_is_not_promoted_nor_shown_the_holdout(
    iterations: list[Iteration],
) -> None:
    sealed = of_the_second(holdout=None)
    assert not may_open_holdout(sealed, iterations)
    for examination in (sealed, of_the_second()):
        verdict = reach_verdict(iterations, examination, STOP)
        assert verdict.kind is VerdictKind.ITERATE
        assert f"failed the rule {FOREKNOWLEDGE}: 1.0000, bound 0" in verdict.reasons[0]
    evidence = judge_promotion(sealed, iterations)[-1].evidence
    assert evidence == f"not opened: {FOREKNOWLEDGE} did not pass"


def test_holdout_that_failed_rejects_whatever_the_model_may_know() -> None:
    verdict = reach_verdict(knowing_itself(), of_the_second(holdout=with_bound(-0.2).holdout), STOP)
    assert verdict.kind is VerdictKind.REJECT


def test_what_no_model_wrote_is_not_judged_by_it() -> None:
    own = replace(a_candidate(2), lineage=Lineage(GeneratorKind.TEMPLATE, "template"))
    iterations = campaign(of(1, may_foreknow=True), own)
    assert judge_foreknowledge(own.hash, iterations) is None
    assert reach_verdict(iterations, of_the_second(), STOP).rules == judge_promotion(
        of_the_second(), ()
    )


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
