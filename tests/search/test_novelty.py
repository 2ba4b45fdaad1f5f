"""Candidates that were tried before are known, whatever they are called."""

import json
from dataclasses import replace
from random import Random

import pytest
from tests.search.histories import summary_of
from tests.search.test_factor_graph import renamed

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import load_contract
from stratlab.contract.space import with_values
from stratlab.domain.errors import NothingNovelError
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates
from stratlab.search.novelty import NoveltyIndex, canonical_key, refuse_repetition
from stratlab.search.operators import MUTATIONS

LINEAGE = Lineage(GeneratorKind.FACTOR_GRAPH, "test")
PILOT = load_templates()["ema_cross_atr"]


def candidate_of(contract, *points) -> Candidate:
    return candidate_from_contract(contract, LINEAGE, points)


def code_of(source: str) -> Candidate:
    return Candidate("c" * 64, "free", "", source, "", {}, LINEAGE)


def test_same_strategy_under_other_names_is_refused_and_the_first_one_named() -> None:
    history = [summary_of(3, PILOT)]
    with pytest.raises(NothingNovelError, match="iteration 3") as caught:
        refuse_repetition(candidate_of(renamed(PILOT)), history)
    assert caught.value.reason == "NOTHING_NOVEL"
    assert caught.value.data["candidate"] == history[0].candidate.hash


def test_variant_in_parameters_passes_as_fully_similar() -> None:
    other = with_values(PILOT, {"fast_length": 9})
    assert refuse_repetition(candidate_of(other), [summary_of(1, PILOT)]) == pytest.approx(1.0)
    assert canonical_key(candidate_of(other)) != canonical_key(candidate_of(PILOT))


@pytest.mark.parametrize("operator", sorted(MUTATIONS))
def test_mutants_are_novel_and_not_twice(operator: str) -> None:
    mutant = next(
        child
        for seed in range(20)
        if (child := MUTATIONS[operator](PILOT, Random(seed))) is not None
    )
    history = [summary_of(1, PILOT)]
    assert 0.3 < refuse_repetition(candidate_of(mutant), history) <= 1.0
    history.append(summary_of(2, mutant))
    with pytest.raises(NothingNovelError):
        refuse_repetition(candidate_of(mutant), history)


def test_point_that_ran_with_another_candidate_is_known() -> None:
    ran = candidate_of(PILOT, {**PILOT.parameters, "fast_length": 9})
    history = [replace(summary_of(1, PILOT), candidate=ran)]
    moved = with_values(PILOT, {"fast_length": 9})
    assert NoveltyIndex(history).repeats(moved)
    with pytest.raises(NothingNovelError):
        refuse_repetition(candidate_of(moved), history)
    # One point more, and there is something to learn.
    wider = candidate_of(moved, {**PILOT.parameters, "fast_length": 11})
    refuse_repetition(wider, history)


def test_same_conditions_twice_are_the_same_parts() -> None:
    fields = load_templates()["rsi_mean_reversion"].model_dump(mode="json")
    single = load_contract(fields)
    fields["indicators"].append(
        {"id": "trend2", "name": "sma", "source": "close", "params": {"length": 150}}
    )
    fields["entry_rules"][0]["when"] = "rsi < $oversold and close > trend and close > trend2"
    with pytest.raises(NothingNovelError, match="same parts"):
        refuse_repetition(candidate_of(load_contract(fields)), [summary_of(1, single)])


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
    assert refuse_repetition(code_of(compiled.source), [summary_of(1, PILOT)]) == 0.0


def test_key_of_a_candidate_without_contract_follows_its_code() -> None:
    keys = {canonical_key(code_of(text)) for text in ("x = 1", "x = 2", "y = 1", "x = 1  # one")}
    assert len(keys) == 2


def test_canonical_key_survives_a_round_trip_through_json() -> None:
    candidate = candidate_of(PILOT)
    again = replace(candidate, contract=json.dumps(json.loads(candidate.contract)))
    assert canonical_key(again) == canonical_key(candidate)
