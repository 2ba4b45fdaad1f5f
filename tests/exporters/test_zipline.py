"""The zipline target: golden files, imports of the lab, and diagnostics."""

import ast
import textwrap
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from tests.exporters.requests_for import CLASS_CODE, FREE_CODE, source_request, template_request

from stratlab.domain.errors import NotFoundError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.strategy import Severity
from stratlab.generation import load_templates
from stratlab_exporters import (
    ExportRequest,
    ExportResult,
    export_candidate,
    get_exporter,
    load_exporters,
)
from stratlab_exporters.zipline import CODES, FILE_NAME, ZiplineExporter

GOLDEN = Path(__file__).with_name("golden")
ZIPLINE_COSTS = CostModel(kind=CostModelKind.ZIPLINE)


def _export(request: ExportRequest) -> ExportResult:
    return ZiplineExporter().export(request)


def _text(request: ExportRequest) -> str:
    result = _export(request)
    assert result.succeeded, result.diagnostics
    assert set(result.files) == {FILE_NAME}
    text = result.files[FILE_NAME].decode()
    ast.parse(text)
    return text


def _without_lab(text: str) -> str:
    # The lab's text belongs to the runner and may change without a change of the exporter.
    start, end = "def _stratlab_lab():\n", "\n    from types import SimpleNamespace\n"
    head, body = text.split(start)
    body, tail = body.split(end)
    for name in ("bars", "lab"):
        own = files("stratlab_runner").joinpath(f"{name}.py").read_text("utf-8")
        for node in ast.parse(own).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert textwrap.indent(ast.get_source_segment(own, node) or "?", "    ") in body
    assert "from stratlab_runner" not in body
    return f"{head}{start}    # the lab\n{end}{tail}"


def test_registry_finds_the_target() -> None:
    assert set(load_exporters()) == {"zipline"}
    assert isinstance(get_exporter("zipline"), ZiplineExporter)
    with pytest.raises(NotFoundError, match="unknown export target 'pine'; known: zipline"):
        get_exporter("pine")


def test_export_candidate_returns_every_target() -> None:
    request = template_request("macd_trend")
    assert export_candidate(request) == {"zipline": _export(request)}


def test_export_template_is_golden() -> None:
    text = _without_lab(_text(template_request("dual_momentum")))
    assert text == (GOLDEN / "dual_momentum.txt").read_text()


def test_export_free_code_is_golden() -> None:
    text = _without_lab(_text(source_request(FREE_CODE)))
    assert text == (GOLDEN / "free_code.txt").read_text()


def test_export_class_style_brings_what_runs_it() -> None:
    text = _text(source_request(CLASS_CODE))
    module = ast.parse(text)
    assert "initialize, handle_data = _stratlab_class_style()(RiseStrategy)\n" in text
    assert "        handle_data=handle_data,\n" in text
    assert "import stratlab_runner" not in text
    functions = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    assert functions == ["_stratlab_lab", "_stratlab_class_style", "run", "main"]


def test_export_of_functions_brings_no_class_adapter() -> None:
    text = _text(source_request(FREE_CODE + "\n\nclass HelperStrategy:\n    pass\n"))
    assert "_stratlab_class_style" not in text


@pytest.mark.parametrize("name", load_templates())
def test_export_is_deterministic_and_self_contained(name: str) -> None:
    text = _text(template_request(name))
    assert text == _text(template_request(name))
    tree = ast.parse(text)
    imported = {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert "stratlab_runner" not in imported
    assert not {name for name in imported if name.startswith("stratlab")}


def test_export_bakes_parameters_symbols_and_costs() -> None:
    costs = CostModel(slippage_bps=7.5, commission_per_share=0.02, volume_limit=0.25)
    text = _text(
        template_request(
            "ema_cross_atr",
            parameters={"fast_length": 7},
            symbols=("IBM", 'A"B'),
            cost_model=costs,
            capital=5000,
        )
    )
    assert '"fast_length": 7,\n    "slow_length": 60,' in text
    assert "SYMBOLS = ('IBM', 'A\"B')" in text
    assert "NextOpenSlippage(7.5, 0.25)" in text
    assert "PerShare(cost=0.02, min_trade_cost=0.0)" in text
    assert "capital=5000.0" in text


def test_export_under_ziplines_costs_sets_none() -> None:
    source = "def initialize(context):\n    pass\n"
    text = _text(source_request(source, cost_model=ZIPLINE_COSTS))
    run = text[text.index("\ndef run(") :]
    assert "set_slippage" not in run
    assert "set_commission" not in run
    assert "handle_data=" not in run


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from stratlab_runner import lab", "lab = _STRATLAB_LAB"),
        ("from stratlab_runner import lab as desk", "desk = _STRATLAB_LAB"),
        (
            "from stratlab_runner.lab import order_bracket, Bracket as B",
            "order_bracket = _STRATLAB_LAB.order_bracket; B = _STRATLAB_LAB.Bracket",
        ),
        ("from stratlab_runner.lab import (\n    order_bracket,\n)", "order_bracket = "),
        ("import stratlab_runner.lab as desk", "desk = _STRATLAB_LAB"),
        ("é = 'ü'; from stratlab_runner import lab; x = 1", "é = 'ü'; lab = _STRATLAB_LAB; x = 1"),
        ("s = '\\x0c \\u2028'\nfrom stratlab_runner import lab", "lab = _STRATLAB_LAB"),
        ("s = '''\u2028\x0c'''\nfrom stratlab_runner import lab", "lab = _STRATLAB_LAB"),
        ("s = 1\r\nfrom stratlab_runner import lab\r\n", "lab = _STRATLAB_LAB"),
    ],
)
def test_export_replaces_imports_of_the_lab(statement: str, expected: str) -> None:
    source = statement + "\ndef initialize(context):\n    pass\n"
    text = _text(source_request(source))
    assert expected in text
    assert "stratlab_runner" not in text.replace("exporters", "").split("_STRATLAB_LAB = ")[1]


def test_export_replaces_imports_inside_functions() -> None:
    source = (
        "def initialize(context):\n    from stratlab_runner import lab\n    lab.order_bracket\n"
    )
    assert "    lab = _STRATLAB_LAB\n    lab.order_bracket\n" in _text(source_request(source))


INITIALIZE = "def initialize(context):\n    pass\n"


@pytest.mark.parametrize(
    ("source", "code", "path"),
    [
        ("def initialize(context", "SOURCE_SYNTAX", "source:1"),
        ("x = '\0'", "SOURCE_SYNTAX", ""),
        ("(" * 300, "SOURCE_SYNTAX", "source:1"),
        ("x = 1\n", "NO_INITIALIZE", ""),
        (INITIALIZE + "def run():\n    pass\n", "NAME_TAKEN", "source:3"),
        (INITIALIZE + "for SYMBOLS in ():\n    pass\n", "NAME_TAKEN", "source:3"),
        ("import main\n" + INITIALIZE, "NAME_TAKEN", "source:1"),
        ("import stratlab_runner\n" + INITIALIZE, "UNSUPPORTED_IMPORT", "source:1"),
        ("import stratlab_runner.lab\n" + INITIALIZE, "UNSUPPORTED_IMPORT", "source:1"),
        ("from stratlab_runner import link\n" + INITIALIZE, "UNSUPPORTED_IMPORT", "source:1"),
        ("from stratlab_runner.lab import *\n" + INITIALIZE, "UNSUPPORTED_IMPORT", "source:1"),
        ("import os, stratlab_runner.lab as a\n" + INITIALIZE, "UNSUPPORTED_IMPORT", "source:1"),
    ],
)
def test_export_what_cannot_be_exported_gives_diagnostic_and_no_file(
    source: str, code: str, path: str
) -> None:
    result = _export(source_request(source))
    assert not result.succeeded
    assert result.files == {}
    (diagnostic,) = result.diagnostics
    assert (diagnostic.code, diagnostic.path) == (code, path)
    assert diagnostic.severity is Severity.ERROR
    assert diagnostic.target == "zipline"
    assert diagnostic.code in CODES
    assert diagnostic.message
    assert diagnostic.hint


def test_export_brackets_under_ziplines_costs_refused() -> None:
    result = _export(template_request("ema_cross_atr", cost_model=ZIPLINE_COSTS))
    assert result.files == {}
    assert {item.code for item in result.diagnostics} == {"BRACKETS_NEED_NEXT_OPEN"}


@pytest.mark.parametrize("call", ["set_slippage(x)", "api.set_commission(x)"])
def test_export_own_costs_warn(call: str) -> None:
    result = _export(source_request(f"def initialize(context):\n    {call}\n"))
    assert result.succeeded
    assert [(item.code, item.severity) for item in result.diagnostics] == [
        ("OWN_COSTS", Severity.WARNING)
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timeframe": "1h"}, "INTRADAY_BARS"),
        ({"calendar": "24/7"}, "SHIFTED_CALENDAR"),
        ({"calendar": "24/5"}, "SHIFTED_CALENDAR"),
    ],
)
def test_export_of_bars_that_plain_zipline_cannot_show_refused(
    changes: dict[str, str], code: str
) -> None:
    request = replace(template_request("ema_cross_atr"), **changes)
    result = ZiplineExporter().export(request)
    assert result.files == {}
    assert [item.code for item in result.diagnostics] == [code]
    assert "stratlab backtest" in result.diagnostics[0].hint
