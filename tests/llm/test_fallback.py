"""Whatever fails and in whatever order, the model is tried again."""

import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.llm.histories import a_candidate, a_request, a_summary, failed, screened_out

from stratlab.domain.errors import ModelFailedError, NothingNovelError
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation.authors.fallback import (
    MAX_FAILURES,
    FallbackGenerator,
    is_fallback_turn,
)


@dataclass
class Scripted:
    """Succeeds or fails as it is told; remembers what it was asked."""

    kind: GeneratorKind
    fails: bool = False
    asked: list[GenerationRequest] = field(default_factory=list)

    def generate(self, request: GenerationRequest) -> Candidate:
        self.asked.append(request)
        if self.fails:
            raise NothingNovelError("nothing new")
        lineage = Lineage(self.kind, "made", note="Made.")
        return replace(a_candidate(request.iteration), lineage=lineage)


def three() -> tuple[Scripted, Scripted, Scripted, FallbackGenerator]:
    model = Scripted(GeneratorKind.HYBRID)
    evolution = Scripted(GeneratorKind.FACTOR_GRAPH)
    templates = Scripted(GeneratorKind.TEMPLATE)
    return model, evolution, templates, FallbackGenerator(model, evolution, templates)


OUTCOMES = {"works": a_summary, "fails": failed, "screened": screened_out}


@given(outcomes=st.lists(st.sampled_from(sorted(OUTCOMES)), max_size=40))
def test_model_is_always_tried_again_after_one_stand_in(outcomes: list[str]) -> None:
    history: list[IterationSummary] = []
    turns: list[bool] = []
    for number, outcome in enumerate(outcomes, start=1):
        turns.append(is_fallback_turn(history))
        history.append(OUTCOMES[outcome](number))
    for place, is_stand_in in enumerate(turns):
        # Never two in a row, never before three failures of the model since the last one.
        before = outcomes[max(place - MAX_FAILURES, 0) : place]
        own_turns = not any(turns[max(place - MAX_FAILURES, 0) : place])
        lost = len(before) == MAX_FAILURES and "works" not in before and own_turns
        assert is_stand_in == lost
    assert not any(one and other for one, other in itertools.pairwise(turns))


@given(outcomes=st.lists(st.booleans(), min_size=8, max_size=24), stand_in_fails=st.booleans())
def test_every_third_failure_in_a_row_brings_one_stand_in_and_then_the_model(
    outcomes: list[bool], stand_in_fails: bool
) -> None:
    model, evolution, templates, generator = three()
    evolution.fails = templates.fails = stand_in_fails
    history: list[IterationSummary] = []
    asked: list[str] = []
    for number, succeeds in enumerate(outcomes, start=1):
        model.fails = not succeeds
        before = len(model.asked)
        try:
            made = generator.generate(a_request(history))
        except NothingNovelError:
            history.append(failed(number))
        else:
            history.append(a_summary(number, candidate=made))
        asked.append("model" if len(model.asked) > before else "stand-in")
    for place, who in enumerate(asked):
        if who == "stand-in":
            assert asked[place - MAX_FAILURES : place] == ["model"] * MAX_FAILURES
            assert outcomes[place - MAX_FAILURES : place] == [False] * MAX_FAILURES
            assert asked[place + 1 : place + 2] in (["model"], [])


def test_stand_in_works_on_the_champion_and_says_why() -> None:
    _, evolution, templates, generator = three()
    history = [a_summary(1), a_summary(2, passed_gates=False), *map(failed, (3, 4, 5))]
    with capture_logs() as logs:
        made = generator.generate(a_request(history))
    assert evolution.asked[0].critique.parent == history[0].candidate.hash
    assert templates.asked == []
    assert "Instead of the model" in made.lineage.note
    assert made.lineage.generator is GeneratorKind.FACTOR_GRAPH
    (logged,) = [entry for entry in logs if entry["event"] == "model_fallback"]
    assert (logged["source"], logged["iteration"]) == ("factor_graph", 6)
    assert "3 times" in logged["reason"]


def test_stand_in_is_a_template_when_there_is_no_champion() -> None:
    _, evolution, templates, generator = three()
    generator.generate(a_request([failed(1), screened_out(2), failed(3)]))
    assert (len(evolution.asked), len(templates.asked)) == (0, 1)


def test_failure_of_the_model_is_the_iterations_failure() -> None:
    model, _, _, generator = three()

    def refuse(request: GenerationRequest) -> Candidate:
        raise ModelFailedError("no")

    model.generate = refuse  # type: ignore[method-assign]
    with pytest.raises(ModelFailedError):
        generator.generate(a_request())
