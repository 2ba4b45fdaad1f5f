"""Documents: every field's limits, the canonical form, and hostile bytes."""

import json
import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import LONGER, random_contract
from tests.contract.samples import sample_fields

from stratlab.contract.document import (
    canonical_json,
    contract_hash,
    contract_schema,
    load_contract,
)
from stratlab.contract.language import parse_rule
from stratlab.domain.errors import InvalidContractError

GOLDEN = Path(__file__).with_name("golden")


def _refusal(fields: object) -> str:
    with pytest.raises(InvalidContractError) as caught:
        load_contract(fields if isinstance(fields, str | bytes) else json.dumps(fields))
    assert caught.value.hint
    return caught.value.message


def _changed(path: str, value: object) -> dict:
    fields = sample_fields()
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    target = fields
    for step in steps:
        target = target[step]
    target[last] = value
    return fields


BAD = [
    ("foo", 1, "foo: Extra inputs are not permitted"),
    ("risk_model.foo", 1, "risk_model.foo: Extra inputs"),
    ("schema_version", "2.0.0", "schema_version: Input should be '1.0.0'"),
    ("version", "1.0", "version: String should match pattern"),
    ("version", "1.0.0\n", "version: String should match pattern"),
    ("strategy_id", 'a"""\nimport os', "strategy_id: String should match pattern"),
    ("strategy_id", "ünsafe", "strategy_id: String should match pattern"),
    ("strategy_id", "a__b", "strategy_id: String should match pattern"),
    ("strategy_id", "a\n", "strategy_id: String should match pattern"),
    ("strategy_id", "", "strategy_id: "),
    ("thesis", "x" * 4001, "thesis: String should have at most 4000"),
    ("markets", ["A\nB"], "markets.0: String should match pattern"),
    ("markets", ["A", "A"], "markets: every entry may appear once only"),
    ("timeframes", [], "timeframes: "),
    ("timeframes", ["0d"], "timeframes.0: String should match pattern"),
    ("entry_rules", [], "entry_rules: "),
    ("entry_rules.0.side", "up", "entry_rules.0.side: Input should be 'long' or 'short'"),
    ("entry_rules.0.id", "down", "rules: the id 'down' is used more than once"),
    ("entry_rules.0.when", "fast >", "entry_rules.0.when: col 7: unexpected the end"),
    ("entry_rules.0.when", "foo > 1", "entry_rules.up.when: col 1: unknown series 'foo'; known: "),
    ("entry_rules.0.when", "fast  >  slow[900]", "entry_rules.up.when: col 10: an offset"),
    ("entry_rules.0.when", "fast > slow@4h", "entry_rules.up.when: col 8: slow@4h: bars of 1d"),
    ("entry_rules.0.when", "fast > slow@25h", "entry_rules.0.when: col 13: 25h is longer than a"),
    ("entry_rules.1.side", "long", None),
    ("exit_rules.0.when", "bars_held > ", "exit_rules.0.when: col 13: unexpected the end"),
    ("indicators.0.name", "foo", "indicators.slow.name: unknown indicator 'foo'; known: adx, atr"),
    ("indicators.0.id", "close", "indicators.close: 'close' is a reserved word"),
    ("indicators.0.id", "lambda", "indicators.lambda: 'lambda' is a reserved word"),
    ("indicators.0.id", "fast", "indicators: the id 'fast' is used more than once"),
    ("indicators.0.id", "macd_hist", "indicators.macd_hist: the id collides with macd.hist"),
    ("indicators.0.source", "bar", "indicators.slow.source: ema cannot read 'bar'"),
    ("indicators.3.source", "close", "indicators.atr.source: atr cannot read 'close'"),
    ("indicators.0.timeframe", "1d", "indicators.slow.timeframe: 1d is the strategy's own"),
    ("indicators.0.timeframe", "1h", "indicators.slow.timeframe: bars of 1d make no bars of 1h"),
    ("indicators.0.timeframe", "1y", "indicators.0.timeframe: String should match pattern"),
    ("timeframes", ["1h", "90m"], None),
    ("timeframes", ["1h", "60m"], "timeframes: every entry may appear once only"),
    ("timeframes", ["3d", "1M"], "timeframes: no data set has bars of these lengths"),
    ("execution.intrabar", "stop_first", "execution.intrabar: brackets fill along tv_path only"),
    ("indicators.0.params", {}, "indicators.slow.params: ema takes exactly: length; found: none"),
    ("indicators.0.params", {"length": 5, "x": 1}, "ema takes exactly: length; found: length, x"),
    ("indicators.1.params.length", 0, "0 is not among the whole numbers from 1 to 500"),
    ("indicators.1.params.length", 501, "501 is not among the whole numbers from 1 to 500"),
    ("indicators.1.params.length", 2.5, "2.5 is not among the whole numbers"),
    ("indicators.1.params.length", "5", "indicators.1.params.length"),
    ("indicators.1.params.length", True, "indicators.1.params.length"),
    ("indicators.1.params.length", "$nope", "unknown parameter '$nope'; known: $mult, $slow"),
    ("indicators.1.params.length", "$mult", "indicators.fast.params.length: $mult must be of kind"),
    ("risk_model.stop.indicator", "fast", "stop.indicator: 'fast' is no atr; known: atr"),
    ("risk_model.stop.mult", -1, "risk_model.stop.atr.mult"),
    ("risk_model.stop.kind", "foo", "risk_model.stop: Input tag 'foo'"),
    ("risk_model.stop", None, "risk_model.sizing: risk_percent needs a stop"),
    ("risk_model.sizing.percent", 101, "risk_model.sizing.risk_percent.percent"),
    ("risk_model.trailing.mode", "intrabar", "trailing.mode: Input should be 'bar_close'"),
    ("optimization_space.slow.value", 9, "min <= value <= max does not hold: 10, 9, 60"),
    ("optimization_space.slow.step", 0, "optimization_space.slow.step"),
    ("optimization_space.slow.value", 20.5, "a parameter of kind int has whole numbers only"),
    ("optimization_space.slow.max", 900, "the bounds of $slow leave the whole numbers from 1"),
    ("optimization_space.slow.max", 10**12, "optimization_space.slow.max"),
    ("optimization_space.free", {"min": 1, "max": 2, "step": 1, "value": 1, "kind": "int"},
     "optimization_space.free: nothing uses $free, remove it"),
    ("entry_rules.1.when", "fast < slow", "indicators.macd: nothing uses it, remove it"),
    ("execution.pyramiding", 1, "execution.pyramiding: Input should be 0"),
    ("execution.fill", "close", "execution.fill: Input should be 'next_open'"),
    ("gates.max_drawdown", 1.5, "gates.max_drawdown"),
    ("gates.max_turnover", 10**400, "gates.max_turnover: Input should be"),
    ("gates.min_total_trades", 10**400, "gates.min_total_trades: Input should be"),
    ("optimization_space.slow.min", -(10**400), "optimization_space.slow.min"),
    ("optimization_space.mult.max", 10**400, "optimization_space.mult.max"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_load_bad_field_names_its_path(path: str, value: object, message: str | None) -> None:
    if message is None:
        load_contract(_changed(path, value))
    else:
        assert message in _refusal(_changed(path, value))


def test_load_many_problems_are_told_together() -> None:
    fields = _changed("entry_rules.0.when", "foo > 1")
    fields["exit_rules"][0]["when"] = "close > bar"
    fields["risk_model"]["stop"]["indicator"] = "slow"
    assert len(_refusal(fields).splitlines()) == 3


def test_load_exit_for_side_without_entry_refused() -> None:
    fields = sample_fields()
    del fields["entry_rules"][1]
    del fields["indicators"][2]
    fields["exit_rules"][0]["side"] = "short"
    assert "exit_rules.old.side: no entry rule opens a short position" in _refusal(fields)


def test_load_too_many_parts_refused() -> None:
    rule = sample_fields()["entry_rules"][0]
    rules = [rule | {"id": f"r{number}"} for number in range(17)]
    assert "entry_rules: Tuple should have at most 16" in _refusal(_changed("entry_rules", rules))
    item = sample_fields()["indicators"][0]
    items = [item | {"id": f"i{number}"} for number in range(33)]
    assert "indicators: Tuple should have at most 32" in _refusal(_changed("indicators", items))


def test_canonical_form_is_stable_and_independent_of_order() -> None:
    contract = load_contract(sample_fields())
    text = canonical_json(contract)
    assert canonical_json(load_contract(text)) == text
    assert load_contract(text) == contract
    shuffled = dict(reversed(sample_fields().items()))
    for path in ("indicators", "entry_rules", "markets"):
        shuffled[path] = list(reversed(shuffled[path]))
    shuffled["indicators"][0]["params"]["length"] = 14.0
    assert contract_hash(load_contract(shuffled)) == contract_hash(contract)
    assert [rule.when for rule in contract.entry_rules] == [
        "crosses_above(fast, slow)",
        "macd.hist < 0 and fast < slow",
    ]


def test_canonical_form_of_sample_is_golden() -> None:
    contract = load_contract(sample_fields())
    assert canonical_json(contract) == (GOLDEN / "sample.json").read_text()
    assert contract_hash(contract) == (
        "aa5685c4b336806b5d129e011b26d7ce692c5db25759bd728c2d276766c5e129"
    )


def test_schema_is_golden() -> None:
    text = json.dumps(contract_schema(), indent=2, sort_keys=True) + "\n"
    assert text == (GOLDEN / "schema.json").read_text()


def test_schema_accepts_sample() -> None:
    jsonschema.validate(sample_fields(), contract_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_changed("risk_model.sizing.percent", 101), contract_schema())


@given(st.integers(0, 10**6))
def test_schema_accepts_every_valid_contract(seed: int) -> None:
    jsonschema.Draft202012Validator.check_schema(contract_schema())
    fields = random_contract(seed, longer=LONGER).model_dump(mode="json")
    jsonschema.validate(fields, contract_schema())


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x9b", "\u2028", "\u202e", "\ufeff"])
def test_load_prose_that_steers_a_reader_refused(character: str) -> None:
    assert "thesis: String should match pattern" in _refusal(_changed("thesis", f"a{character}b"))
    path = "entry_rules.0.note"
    assert f"{path}: String should match" in _refusal(_changed(path, character))
    # Line breaks and letters of every script are prose.
    load_contract(_changed("thesis", "\tUno\r\ndue\u00a0三 \U0001f600"))


def test_load_yaml_equals_json() -> None:
    fields = sample_fields()
    assert load_contract(yaml.safe_dump(fields)) == load_contract(json.dumps(fields))
    assert load_contract(fields) == load_contract(json.dumps(fields).encode())


def test_load_error_columns_are_those_of_the_authors_text() -> None:
    fields = _changed("entry_rules.0.when", "fast>slow    and foo>1")
    assert "entry_rules.up.when: col 18: unknown series 'foo'" in _refusal(fields)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "a contract is a mapping"),
        ("[]", "a contract is a mapping"),
        ("{", "cannot be read"),
        ('{"a": 1, "a": 2}', "a field appears twice: a"),
        ("a: 1\na: 2", "a field appears twice: a"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be read"),
        ("a: 2020-01-01", "texts, numbers, lists and mappings only"),
        ("a: .nan", "texts, numbers, lists and mappings only"),
        (b"\xff\xfe{}", "not UTF-8 at byte 0"),
        ('{"a": ' * 100_000, "larger than"),
        ("[" * 50_000, "nested too deeply"),
        ('{"a":' * 30_000, "nested too deeply"),
        ("x" * 300_000, "larger than"),
        ("a: \ud800", "not UTF-8"),
        ('{"thesis": "\\ud800"}', "Invalid JSON"),
    ],
)
def test_load_hostile_document_gives_typed_error(document: str | bytes, message: str) -> None:
    assert message in _refusal(document)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_load_any_document_gives_contract_or_typed_error(document: str | bytes) -> None:
    with pytest.raises(InvalidContractError):
        load_contract(document)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    path=st.sampled_from([path for path, _, _ in BAD if path != "foo"]),
    value=VALUES,
)
def test_load_any_value_in_any_field_gives_contract_or_typed_error(path: str, value) -> None:
    fields = _changed(path, value)
    try:
        contract = load_contract(fields)
    except InvalidContractError:
        return
    assert load_contract(canonical_json(contract)) == contract


@given(st.integers(0, 10**6))
def test_random_contract_canonical_form_is_stable(seed: int) -> None:
    contract = random_contract(seed)
    assert load_contract(canonical_json(contract)) == contract


def test_load_takes_less_than_two_milliseconds() -> None:
    text = json.dumps(sample_fields())
    load_contract(text)
    times = []
    for _ in range(20):
        parse_rule.cache_clear()
        start = time.process_time()
        load_contract(text)
        times.append(time.process_time() - start)
    # Measured well below; ten times the goal, so that only a blunder fails here.
    assert sorted(times)[10] < 0.02
