"""Candidates that were tried before are known, whatever they are called."""

import json
from dataclasses import replace
from random import Random

import pytest
from tests.search.histories import request_after, summary_of
from tests.search.test_factor_graph import renamed

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import load_contract
from stratlab.contract.space import with_values
from stratlab.domain.errors import NothingNovelError
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates
from stratlab.search.novelty import NoveltyIndex, canonical_key, refuse_repetition
from stratlab.search.operators import MUTATIONS
from stratlab.search.tried import TriedIndices

LINEAGE = Lineage(GeneratorKind.FACTOR_GRAPH, "test")
PILOT = load_templates()["ema_cross_atr"]


def candidate_of(contract, *points) -> Candidate:
    return candidate_from_contract(contract, LINEAGE, points)


def code_of(source: str) -> Candidate:
    return Candidate("c" * 64, "free", "", source, "", {}, LINEAGE)


def test_same_strategy_under_other_names_is_refused_and_the_first_one_named() -> None:
    history = [summary_of(3, PILOT)]
    with pytest.raises(NothingNovelError, match="iteration 3") as caught:
        refuse_repetition(candidate_of(renamed(PILOT)), NoveltyIndex(history))
    assert caught.value.reason == "NOTHING_NOVEL"
    assert caught.value.data["candidate"] == history[0].candidate.hash


def test_variant_in_parameters_passes_as_fully_similar() -> None:
    other = with_values(PILOT, {"fast_length": 9})
    assert refuse_repetition(
        candidate_of(other), NoveltyIndex([summary_of(1, PILOT)])
    ) == pytest.approx(1.0)
    assert canonical_key(candidate_of(other)) != canonical_key(candidate_of(PILOT))


@pytest.mark.parametrize("operator", sorted(MUTATIONS))
def test_mutants_are_novel_and_not_twice(operator: str) -> None:
    mutant = next(
        child
        for seed in range(20)
        if (child := MUTATIONS[operator](PILOT, Random(seed))) is not None
    )
    history = [summary_of(1, PILOT)]
    assert 0.3 < refuse_repetition(candidate_of(mutant), NoveltyIndex(history)) <= 1.0
    history.append(summary_of(2, mutant))
    with pytest.raises(NothingNovelError):
        refuse_repetition(candidate_of(mutant), NoveltyIndex(history))


def test_point_that_ran_with_another_candidate_is_known() -> None:
    ran = candidate_of(PILOT, {**PILOT.parameters, "fast_length": 9})
    history = [replace(summary_of(1, PILOT), candidate=ran)]
    moved = with_values(PILOT, {"fast_length": 9})
    assert NoveltyIndex(history).repeats(moved)
    with pytest.raises(NothingNovelError):
        refuse_repetition(candidate_of(moved), NoveltyIndex(history))
    # One point more, and there is something to learn.
    wider = candidate_of(moved, {**PILOT.parameters, "fast_length": 11})
    refuse_repetition(wider, NoveltyIndex(history))


def test_same_conditions_twice_are_the_same_parts() -> None:
    fields = load_templates()["rsi_mean_reversion"].model_dump(mode="json")
    single = load_contract(fields)
    fields["indicators"].append(
        {"id": "trend2", "name": "sma", "source": "close", "params": {"length": 150}}
    )
    fields["entry_rules"][0]["when"] = "rsi < $oversold and close > trend and close > trend2"
    with pytest.raises(NothingNovelError, match="same parts"):
        refuse_repetition(
            candidate_of(load_contract(fields)), NoveltyIndex([summary_of(1, single)])
        )


def test_similarity_falls_with_what_is_different() -> None:
    templates = load_templates()
    history = [summary_of(1, templates["rsi_mean_reversion"])]
    index = NoveltyIndex(history)
    longer = MUTATIONS["add_factor"](templates["rsi_mean_reversion"], Random(1))
    near = index.similarity(candidate_of(longer))
    far = index.similarity(candidate_of(templates["ema_cross_atr"]))
    assert 1.0 > near > far > 0.0
    assert NoveltyIndex().similarity(candidate_of(PILOT)) == 0.0


def test_free_code_is_compared_with_free_code_only() -> None:
    compiled = candidate_of(PILOT)
    assert refuse_repetition(code_of(compiled.source), NoveltyIndex([summary_of(1, PILOT)])) == 0.0


def test_key_of_a_candidate_without_contract_follows_its_code() -> None:
    keys = {canonical_key(code_of(text)) for text in ("x = 1", "x = 2", "y = 1", "x = 1  # one")}
    assert len(keys) == 2


def test_canonical_key_survives_a_round_trip_through_json() -> None:
    candidate = candidate_of(PILOT)
    again = replace(candidate, contract=json.dumps(json.loads(candidate.contract)))
    assert canonical_key(again) == canonical_key(candidate)


def test_index_of_a_campaign_grows_and_is_that_of_its_history() -> None:
    templates = list(load_templates().values())
    history = [summary_of(n, contract) for n, contract in enumerate(templates, start=1)]
    indices = TriedIndices(kept=2)
    grown = {id(indices.of(request_after(history[:count]))) for count in range(len(history))}
    assert len(grown) == 1
    for count in (len(history), 2, 5):
        # A shorter history has begun anew: nothing of the longer one is known there.
        index, fresh = indices.of(request_after(history[:count])), NoveltyIndex(history[:count])
        for contract in templates:
            assert index.repeats(contract) == fresh.repeats(contract)
    others = [replace(summary) for summary in history]
    assert id(indices.of(request_after(others))) not in grown


def test_index_of_a_forgotten_campaign_is_built_again() -> None:
    history = [summary_of(1, PILOT)]
    indices = TriedIndices(kept=1)
    first = request_after(history)
    other = replace(first, campaign=replace(first.campaign, id="another"))
    known = indices.of(first)
    assert indices.of(first) is known
    assert indices.of(other) is not known
    assert indices.of(first) is not known
    assert indices.of(first).repeats(PILOT)
