"""Evolution: templates first, then mutations of chosen parents."""

from dataclasses import replace

import pytest
from tests.generation.asking import play, request, summary
from tests.search.histories import summary_of

from stratlab.contract.document import canonical_json, load_contract
from stratlab.domain.errors import NothingNovelError
from stratlab.domain.search import Islands
from stratlab.domain.strategy import Critique, GeneratorKind
from stratlab.generation import load_templates, templates_for
from stratlab.search import FactorGraphGenerator
from stratlab.search.factor_graph import canonical_hash
from stratlab.search.operators import OPERATORS

GENERATOR = FactorGraphGenerator(templates_for)


def test_generate_first_iterations_are_the_templates() -> None:
    history = play(GENERATOR, 6)
    assert [item.candidate.contract for item in history] == [
        canonical_json(contract) for contract in load_templates().values()
    ]
    assert {item.candidate.lineage.operator for item in history} == {"template"}


def test_generate_evolves_with_every_operator_and_keeps_lineage() -> None:
    history = play(GENERATOR, 60)
    by_hash = {item.candidate.hash: item.candidate for item in history}
    assert len(by_hash) == 60
    assert {item.candidate.lineage.operator for item in history[6:]} == set(OPERATORS)
    for item in history[6:]:
        lineage = item.candidate.lineage
        assert lineage.generator is GeneratorKind.FACTOR_GRAPH
        ages = [by_hash[parent].lineage.generation for parent in lineage.parents]
        assert lineage.generation == max(ages) + 1
        assert load_contract(item.candidate.contract).parameters == item.candidate.parameters
    assert max(item.candidate.lineage.generation for item in history) >= 3


def test_generate_equal_requests_give_equal_candidates() -> None:
    assert play(GENERATOR, 14, seed=3) == play(GENERATOR, 14, seed=3)
    first, second = play(GENERATOR, 14, seed=3), play(GENERATOR, 14, seed=4)
    assert first[13].candidate.hash != second[13].candidate.hash


def test_generate_takes_parents_from_the_cells_of_its_island_and_the_better_more_often() -> None:
    templates = list(load_templates().values())
    history = [
        # Iterations 1 and 4 are those of island 0; each wins a cell of its own there.
        summary_of(number, template, score=number / 10, turnover=number * 3.0)
        for number, template in enumerate(templates, start=1)
    ]
    own = {1: 0, 4: 0}
    by_hash = {history[number - 1].candidate.hash: number for number in own}
    for seed in range(40):
        (parent, *_) = GENERATOR.generate(request(7, history, seed=seed)).lineage.parents
        own[by_hash[parent]] += 1
    assert own[4] > own[1] > 0


def test_generate_gives_every_candidate_the_island_whose_turn_it_is() -> None:
    history = play(GENERATOR, 14, islands=Islands(count=4, migration_interval=2))
    assert [item.candidate.lineage.island for item in history] == [n % 4 for n in range(14)]


def test_generate_crossover_names_both_parents_and_follows_the_older() -> None:
    history = play(GENERATOR, 6)
    first = history[0].candidate
    critique = Critique(operator="crossover", parent=first.hash, reason="because")
    lineage = GENERATOR.generate(request(7, history, critique)).lineage
    assert lineage.operator == "crossover"
    assert lineage.parents[0] == first.hash
    assert len(set(lineage.parents)) == 2
    assert lineage.generation == 1


def test_generate_never_repeats_what_was_tried_under_other_names() -> None:
    history = play(GENERATOR, 40, seed=5)
    keys = [canonical_hash(load_contract(item.candidate.contract)) for item in history]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_generate_follows_the_critique(operator: str) -> None:
    history = play(GENERATOR, 6)
    parent = history[1].candidate
    critique = Critique(operator=operator, parent=parent.hash, reason="because")
    for seed in range(5):
        candidate = GENERATOR.generate(request(7, history, critique, seed=seed))
        assert candidate.lineage.operator == operator
        assert candidate.lineage.parents[0] == parent.hash


def test_generate_critique_that_cannot_be_followed_is_left() -> None:
    fields = load_templates()["ema_cross_atr"].model_dump(mode="json")
    for space in fields["optimization_space"].values():
        space["enabled"] = False
    fixed = load_contract(fields)
    generator = FactorGraphGenerator(lambda spec: (fixed,))
    history = [summary_of(1, fixed)]
    seen = {history[0].candidate.contract}
    for number in range(2, 8):
        parent = history[0].candidate
        critique = Critique(operator="perturb_parameter", parent=parent.hash, reason="look close")
        candidate = generator.generate(request(number, history, critique))
        assert candidate.lineage.operator != "perturb_parameter"
        assert candidate.contract not in seen
        seen.add(candidate.contract)
        history.append(summary(number, candidate, 0.1))


def test_generate_unknown_critique_is_its_own_choice() -> None:
    history = play(GENERATOR, 6)
    critique = Critique(operator="teleport", parent="0" * 64, reason="why not")
    candidate = GENERATOR.generate(request(7, history, critique))
    assert candidate.lineage.operator in OPERATORS


def test_generate_after_failures_only_still_finds_candidates() -> None:
    history = [summary(number, None) for number in range(1, 9)]
    candidate = GENERATOR.generate(request(9, history))
    assert candidate.lineage.operator == "vary_parameters"
    assert candidate.lineage.parents == ()


def test_generate_gives_further_points_of_the_space() -> None:
    history = play(GENERATOR, 9, parameter_points=4)
    for item in history:
        points = item.candidate.parameter_points
        assert points[0] == item.candidate.parameters
        assert len({tuple(sorted(point.items())) for point in points}) == 4


def test_generate_knows_history_without_source() -> None:
    history = [
        summary(item.number, replace(item.candidate, source=""), item.train_score)
        for item in play(GENERATOR, 12)
    ]
    candidate = GENERATOR.generate(request(13, history))
    assert candidate.hash not in {item.candidate.hash for item in history}


def test_generate_nothing_new_is_a_typed_error() -> None:
    fixed = FactorGraphGenerator(lambda spec: ())
    with pytest.raises(NothingNovelError, match="no new candidate"):
        fixed.generate(request(1))
