"""Evolution: templates first, then mutations of chosen parents."""

from dataclasses import replace

import pytest
from tests.generation.asking import play, request, summary

from stratlab.contract.document import canonical_json, load_contract
from stratlab.domain.errors import InvalidContractError
from stratlab.domain.strategy import Critique, GeneratorKind
from stratlab.generation import load_templates, templates_for
from stratlab.search import FactorGraphGenerator
from stratlab.search.factor_graph import signals_of
from stratlab.search.mutations import MUTATIONS

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
    assert {item.candidate.lineage.operator for item in history[6:]} == set(MUTATIONS)
    for item in history[6:]:
        lineage = item.candidate.lineage
        assert lineage.generator is GeneratorKind.FACTOR_GRAPH
        (parent,) = lineage.parents
        assert lineage.generation == by_hash[parent].lineage.generation + 1
        assert load_contract(item.candidate.contract).parameters == item.candidate.parameters
    assert max(item.candidate.lineage.generation for item in history) >= 3


def test_generate_equal_requests_give_equal_candidates() -> None:
    assert play(GENERATOR, 14, seed=3) == play(GENERATOR, 14, seed=3)
    first, second = play(GENERATOR, 14, seed=3), play(GENERATOR, 14, seed=4)
    assert first[13].candidate.hash != second[13].candidate.hash


def test_generate_prefers_parents_that_passed_the_gates() -> None:
    history = play(GENERATOR, 6)
    winner = 2
    history = [
        summary(item.number, item.candidate, 0.9 - item.number / 10, item.number == winner)
        for item in history
    ]
    parents = [
        GENERATOR.generate(request(7, history, seed=seed)).lineage.parents[0] for seed in range(40)
    ]
    # Drawn into a tournament of three of six in half of the cases, and then it wins.
    assert 12 <= parents.count(history[winner - 1].candidate.hash) <= 28
    assert len(set(parents)) > 1


@pytest.mark.parametrize("operator", sorted(MUTATIONS))
def test_generate_follows_the_critique(operator: str) -> None:
    history = play(GENERATOR, 6)
    parent = history[1].candidate
    critique = Critique(operator=operator, parent=parent.hash, reason="because")
    for seed in range(5):
        candidate = GENERATOR.generate(request(7, history, critique, seed=seed))
        assert candidate.lineage.operator == operator
        assert candidate.lineage.parents == (parent.hash,)


def test_generate_critique_that_cannot_be_followed_is_left() -> None:
    history = play(GENERATOR, 1, templates=("ema_cross_atr",))
    parent = history[0].candidate
    (entry,) = load_contract(parent.contract).entry_rules
    assert len(signals_of(entry, "entry")) == 1
    seen = {parent.contract}
    for number in range(2, 8):
        critique = Critique(operator="remove_factor", parent=parent.hash, reason="too few trades")
        candidate = GENERATOR.generate(
            request(number, history, critique, templates=("ema_cross_atr",))
        )
        assert candidate.contract not in seen
        seen.add(candidate.contract)
        history.append(summary(number, candidate, 0.1))


def test_generate_unknown_critique_is_its_own_choice() -> None:
    history = play(GENERATOR, 6)
    critique = Critique(operator="teleport", parent="0" * 64, reason="why not")
    candidate = GENERATOR.generate(request(7, history, critique))
    assert candidate.lineage.operator in MUTATIONS


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
    with pytest.raises(InvalidContractError, match="no new candidate"):
        fixed.generate(request(1))
