"""Whatever comes in gives a valid contract or a typed error: no crash, no hang, no half result."""

import time
from collections.abc import Callable, Iterable
from random import Random

import pytest
from tests.contract import fuzzing
from tests.contract.samples import sample_fields

from stratlab.contract import nodes
from stratlab.contract.checker import Scope, check_rule
from stratlab.contract.consistency import scope_of
from stratlab.contract.document import canonical_json, canonical_yaml, load_contract
from stratlab.contract.explanation import explain, rule_in_words
from stratlab.contract.language import RuleError, format_rule
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.errors import InvalidContractError

# Together 100,000 inputs; `make soak` takes twenty times as many, and others.
RULES, BYTES, TEXTS, DOCUMENTS = 55_000, 25_000, 12_000, 8_000
LONGEST_SECONDS = 2.0


@pytest.fixture(scope="module")
def scope() -> Scope:
    fields = sample_fields()
    trend = {"id": "trend", "name": "ema", "timeframe": "1w", "params": {"length": 3}}
    fields["indicators"].append(trend)
    fields["entry_rules"][0]["when"] += " and trend > 0"
    return scope_of(load_contract(fields), position=True)


def _slowest(inputs: Iterable, judge: Callable[[object], None]) -> float:
    slowest = 0.0
    for each in inputs:
        start = time.process_time()
        judge(each)
        slowest = max(slowest, time.process_time() - start)
    return slowest


def _checked(text: str, scope: Scope) -> nodes.Expression | RuleError:
    try:
        return check_rule(text, scope)
    except RuleError as error:
        return error


def test_any_rule_gives_checked_tree_or_rule_error(scope: Scope, full_size: bool) -> None:
    good = 0

    def judge(text: str) -> None:
        nonlocal good
        tree = _checked(text, scope)
        if isinstance(tree, RuleError):
            assert 1 <= tree.column <= len(text) + 1
            assert str(tree).startswith(f"col {tree.column}: ")
            return
        good += 1
        canonical = format_rule(tree)
        assert check_rule(canonical, scope) == tree
        assert rule_in_words(canonical)

    count = RULES * (20 if full_size else 1)
    assert _slowest(fuzzing.rules(Random(1 + full_size), count), judge) < LONGEST_SECONDS
    assert good > count / 2000


@pytest.mark.parametrize(
    ("inputs", "count"),
    [(fuzzing.raw_bytes, BYTES), (fuzzing.garbled_texts, TEXTS)],
    ids=["raw_bytes", "garbled_texts"],
)
def test_any_bytes_give_contract_or_typed_error(
    inputs: Callable, count: int, full_size: bool
) -> None:
    good = 0

    def judge(document: bytes) -> None:
        nonlocal good
        try:
            contract = load_contract(document)
        except InvalidContractError:
            return
        good += 1
        assert load_contract(canonical_json(contract)) == contract

    count *= 20 if full_size else 1
    assert _slowest(inputs(Random(3 + full_size), count), judge) < LONGEST_SECONDS
    if inputs is fuzzing.garbled_texts:
        assert good > 0


def test_any_mutated_document_gives_contract_that_compiles_or_typed_error(
    full_size: bool,
) -> None:
    good = bad = 0

    def judge(document: dict) -> None:
        nonlocal good, bad
        try:
            contract = load_contract(document)
        except InvalidContractError:
            bad += 1
            return
        good += 1
        text = canonical_json(contract)
        assert canonical_json(load_contract(text)) == text
        if good % 10 == 0:
            assert load_contract(canonical_yaml(contract)) == contract
            assert explain(contract)
            compile(compile_to_zipline(contract), "<strategy>", "exec")

    count = DOCUMENTS * (20 if full_size else 1)
    documents = fuzzing.mutated_documents(Random(5 + full_size), count)
    assert _slowest(documents, judge) < LONGEST_SECONDS
    # Both kinds, or the mutations are too gentle or too rough to find anything.
    assert good > count / 50
    assert bad > count / 2
