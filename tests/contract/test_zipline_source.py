"""Compiled source: golden bytes, screening, and text that must never get in."""

import ast
import hashlib
import math
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.random_contracts import LONGER, random_contract
from tests.contract.samples import longer_fields, sample_fields

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.strategy import Author
from stratlab.generation import load_templates
from stratlab.screening import SubprocessScreener

GOLDEN = Path(__file__).with_name("golden")


SCREENER = SubprocessScreener()


def _findings(source: str) -> list[str]:
    # Models are judged most strictly.
    report = SCREENER.screen(source, Author.MODEL)
    return [f"{found.rule} {found.message}" for found in report.findings]


def _definitions(source: str) -> set[str]:
    body = ast.parse(source).body
    return {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


@pytest.mark.parametrize("name", ["ema_cross_atr", "sample", "longer"])
def test_compile_bytes_are_golden(name: str) -> None:
    samples = {"sample": sample_fields, "longer": longer_fields}
    contract = load_templates().get(name) or load_contract(samples[name]())
    assert compile_to_zipline(contract) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", load_templates())
def test_compile_template_passes_screening(name: str) -> None:
    assert _findings(compile_to_zipline(load_templates()[name])) == []


def test_compile_inlines_only_what_is_used() -> None:
    names = _definitions(compile_to_zipline(load_templates()["ema_cross_atr"]))
    assert {"Ema", "Sma", "Atr", "Rma", "TrueRange", "above", "finite", "Trader"} <= names
    assert not names & {"Macd", "Rsi", "Stoch", "highest", "ratio", "to_tick"}


def test_compile_equal_contracts_give_equal_bytes() -> None:
    fields = sample_fields()
    fields["indicators"].reverse()
    fields["entry_rules"][0]["when"] = "crosses_above(fast, ((slow)))"
    first = compile_to_zipline(load_contract(sample_fields()))
    assert compile_to_zipline(load_contract(fields)) == first


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"fast_length": 20, "slow_length": 60, "stop_mult": 3.0}),
        ({"fast_length": 9.0}, {"fast_length": 9, "slow_length": 60, "stop_mult": 3.0}),
        ({"stop_mult": 2}, {"fast_length": 20, "slow_length": 60, "stop_mult": 2.0}),
        ({"fast_length": 9.5}, "fast_length = 9.5 fits no parameter"),
        ({"foo": 1}, "foo = 1 fits no parameter"),
    ],
)
def test_compiled_strategy_takes_exactly_its_parameters(given: dict, expected: object) -> None:
    source = compile_to_zipline(load_templates()["ema_cross_atr"])
    wanted = ("DEFAULTS", "parameters")
    body = [
        node
        for node in ast.parse(source).body
        if getattr(node, "name", "") in wanted
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in wanted)
    ]
    namespace: dict = {}
    exec(compile(ast.Module(body, []), "<strategy>", "exec"), namespace)  # noqa: S102 - our own
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            namespace["parameters"](given)
    else:
        assert namespace["parameters"](given) == expected
        assert list(map(type, namespace["parameters"](given).values())) == [int, int, float]


def test_compiled_strategy_refuses_bars_that_do_not_make_its_longer_ones() -> None:
    fields = longer_fields() | {"timeframes": ["1h"]}
    fields["entry_rules"][0]["when"] += " and close@4h > open@4h"
    tree = ast.parse(compile_to_zipline(load_contract(fields)))
    body = [
        node
        for node in tree.body
        if getattr(node, "name", "") in {"initialize", "parameters"}
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper())
    ]
    namespace: dict = {"math": math, "Trader": lambda *given: given, "symbol": str}
    exec(compile(ast.Module(body, []), "<strategy>", "exec"), namespace)  # noqa: S102 - our own
    for timeframe in ("4h", "1d"):
        context = SimpleNamespace(timeframe=timeframe, params={}, symbols=())
        with pytest.raises(ValueError, match=f"bars of {timeframe} do not make the longer bars"):
            namespace["initialize"](context)
    context = SimpleNamespace(timeframe="30m", params={}, symbols=("AAA",))
    namespace["initialize"](context)
    assert context.traders == [("AAA", {"weeks": 3}, 1.0)]


def test_compile_free_text_never_reaches_code() -> None:
    fields = sample_fields()
    plain = compile_to_zipline(load_contract(fields))
    bomb = '"""\nimport os  # $close {x} \\N{BEL}'
    fields["thesis"] = bomb
    fields["entry_rules"][0]["note"] = bomb
    source = compile_to_zipline(load_contract(fields))

    def without_hash(text: str) -> list[str]:
        return [line for line in text.splitlines() if len(line.strip(".")) != 64]

    assert without_hash(source) == without_hash(plain)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([(), LONGER]))
def test_compile_random_contract_passes_screening(seed: int, longer: tuple[str, ...]) -> None:
    contract = random_contract(seed, longer=longer)
    source = compile_to_zipline(contract)
    assert _findings(source) == []
    assert compile_to_zipline(contract) == source
    assert max(map(len, source.splitlines())) <= 110


@pytest.mark.parametrize(
    "when",
    [
        "+".join(["close"] * 100) + " > 1",
        "-".join(["close / 2 * open"] * 40) + " > 1",
        "(" * 30 + "close" + " + 1)" * 30 + " > 1",
        "not (" * 15 + "close > 1" + " and open > 1)" * 15,
        "(" * 20 + "close > 1" + " or (open > 1 and low > 1))" * 20,
        "min(1, " * 30 + "close" + ")" * 30 + " > 1",
        "highest(" * 30 + "close" + ", 2)" * 30 + " > 1",
        "--" * 15 + "close > 1",
    ],
)
def test_compile_deep_rule_passes_screening(when: str) -> None:
    fields = sample_fields()
    fields["entry_rules"].append({"id": "deep", "side": "long", "when": when})
    assert _findings(compile_to_zipline(load_contract(fields))) == []


def test_compile_depends_on_no_hash_seed_or_file_order() -> None:
    # Sets are sorted before they are written: the digest is the same in every process.
    source = compile_to_zipline(random_contract(7))
    digest = hashlib.sha256(source.encode()).hexdigest()
    assert digest == "607f33ba4708145043c927a94441b8907734a7c7afbed8bc2ae3d11eb4f90c05"


def test_compile_takes_less_than_five_milliseconds() -> None:
    contract = load_templates()["macd_trend"]
    times = []
    for _ in range(11):
        start = time.process_time()
        compile_to_zipline(contract)
        times.append(time.process_time() - start)
    # Ten times the goal, so that only a blunder fails here.
    assert sorted(times)[5] < 0.05
