"""The first screening layers, in the process that users get."""

import gc
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratlab.domain.errors import UnavailableError
from stratlab.domain.strategy import Author, Finding, Severity
from stratlab.screening import SubprocessScreener, worker
from stratlab.screening.layers import screen_text

GONE = "gone"
SCREENER = SubprocessScreener()

HONEST = """
from zipline.api import order_target_percent, symbol, schedule_function, date_rules
import numpy as np


def initialize(context):
    context.asset = symbol("AAPL")
    schedule_function(rebalance, date_rules.month_start())


def rebalance(context, data):
    prices = data.history(context.asset, "close", 20, "1d")
    weight = 1.0 if np.mean(prices) < prices.iloc[-1] else 0.0
    order_target_percent(context.asset, weight)
"""


def strategy(line: str) -> str:
    return f"def initialize(context):\n    pass\n\ndef handle_data(context, data):\n    {line}\n"


def rejections(source: str) -> list[Finding]:
    return [f for f in screen_text(source).findings if f.severity is Severity.ERROR]


def test_honest_strategy_passes_every_layer() -> None:
    report = SCREENER.screen(HONEST)
    assert report.passed
    assert [run.layer for run in report.layers] == [
        "static",
        "security",
        "convention",
        "integration",
        "coverage",
    ]
    assert all(run.seconds > 0 for run in report.layers)


def test_layer_that_rejects_is_the_last_one() -> None:
    report = SCREENER.screen(strategy("eval('1')"))
    assert [run.layer for run in report.layers] == ["static", "security"]
    assert report.of_layer("static") == ()
    assert [finding.rule for finding in report.of_layer("security")] == ["forbidden_call"]


@pytest.mark.parametrize(
    ("source", "layer", "rule"),
    [
        ("def initialize(context):\n  x = (", "static", "syntax"),
        ("x = 1\n", "static", "entry_point"),
        ("def initialize(context): pass\n" + "#" * 300_000, "static", "source_too_large"),
        ("def initialize(context): pass\0\n", "static", "nul_byte"),
        (strategy("x = " + "[" * 60 + "]" * 60), "static", "nesting"),
        ("import socket\nsocket.socket()\n" + HONEST, "security", "import_not_allowed"),
        ("import os.path\nos.getcwd()\n" + HONEST, "security", "watched_module"),
        ("from . import secret\nsecret()\n" + HONEST, "security", "import_not_allowed"),
        ("from os import *\n" + HONEST, "security", "import_not_allowed"),
        ("from zipline.finance import ledger\nledger\n" + HONEST, "security", "import_not_allowed"),
        ("from stratlab_runner import zygote as z\nz\n" + HONEST, "security", "import_not_allowed"),
        (strategy("eval('1')"), "security", "forbidden_call"),
        (strategy("open('/etc/passwd')"), "security", "forbidden_call"),
        (strategy("__import__('os')"), "security", "dunder_access"),
        (strategy("().__class__.__bases__"), "security", "dunder_access"),
        (strategy("getattr(data, 'a' + 'b')"), "security", "dynamic_attribute"),
        (strategy("getattr(data, '__dict__')"), "security", "dunder_access"),
        (strategy("data.data_portal"), "security", "forbidden_name"),
        (strategy("get_algo_instance()"), "security", "forbidden_name"),
    ],
)
def test_bad_source_is_rejected_by_the_right_rule(source: str, layer: str, rule: str) -> None:
    report = SCREENER.screen(source)
    assert not report.passed
    first = next(f for f in report.findings if f.severity is Severity.ERROR)
    assert (first.layer, first.rule) == (layer, rule)
    assert first.hint


LAB_IMPORTS = [
    ("from stratlab_runner import lab", "lab.order_bracket"),
    ("from stratlab_runner import lab as desk", "desk.order_bracket"),
    ("import stratlab_runner.lab", "stratlab_runner.lab.order_bracket"),
    ("import stratlab_runner.lab as desk", "desk.order_bracket"),
    ("from stratlab_runner.lab import Bracket, BracketError, order_bracket", "order_bracket"),
]


@pytest.mark.parametrize(("statement", "use"), LAB_IMPORTS)
def test_lab_may_be_imported(statement: str, use: str) -> None:
    assert rejections(f"{statement}\n{use}\n{HONEST}") == []


@pytest.mark.parametrize(
    ("statement", "use", "refused"),
    [
        ("import stratlab_runner", "stratlab_runner.lab", "stratlab_runner"),
        ("import stratlab_runner as s", "s.lab", "stratlab_runner"),
        ("import stratlab_runner.reporter", "stratlab_runner.lab", "stratlab_runner.reporter"),
        ("import stratlab_runner.laboratory as s", "s.x", "stratlab_runner.laboratory"),
        ("from stratlab_runner import recording", "recording.x", "stratlab_runner.recording"),
        ("from stratlab_runner import lab, wire", "lab.Bracket, wire.x", "stratlab_runner.wire"),
        ("from stratlab_runner import *", "lab.x", "stratlab_runner.*"),
        ("from stratlab_runner.lab import *", "order_bracket", "stratlab_runner.lab.*"),
        (
            "from stratlab_runner.lab import order_bracket, NextOpenSlippage",
            "order_bracket, NextOpenSlippage",
            "stratlab_runner.lab.NextOpenSlippage",
        ),
        ("from stratlab_runner.lab.x import y", "y", "stratlab_runner.lab.x.y"),
        ("from stratlab_runner.wire import decode", "decode", "stratlab_runner.wire.decode"),
    ],
)
def test_nothing_else_of_the_runner_may_be_imported(statement: str, use: str, refused: str) -> None:
    (finding,) = rejections(f"{statement}\n{use}\n{HONEST}")
    assert (finding.severity, finding.rule) == (Severity.ERROR, "import_not_allowed")
    assert finding.message == f"{refused} may not be imported"


def test_runner_cannot_be_reached_through_the_import_of_the_lab() -> None:
    (finding,) = rejections(f"import stratlab_runner.lab\nstratlab_runner.recording.x\n{HONEST}")
    assert (finding.rule, finding.line, finding.column) == ("forbidden_name", 2, 1)


def test_own_costs_are_a_warning_that_passes() -> None:
    report = SCREENER.screen(strategy("set_slippage(None)"))
    assert report.passed
    assert [finding.rule for finding in report.of_layer("security")] == ["own_costs"]


def test_import_that_nothing_needs_is_a_warning_that_passes() -> None:
    report = SCREENER.screen("import numpy, socket, http.client as web\n" + HONEST)
    assert report.passed
    assert [(f.rule, f.line, f.message.split()[0]) for f in report.of_layer("static")] == [
        ("import_left_out", 1, "http.client"),
        ("import_left_out", 1, "socket"),
    ]


def test_what_analyze_needs_is_ignored_but_not_what_calls_it() -> None:
    plotting = """
import matplotlib.pyplot as plt
def analyze(context, results):
    plt.show(eval("results"))
def _test_args():
    return analyze
"""
    report = SCREENER.screen(HONEST + plotting)
    assert report.passed
    assert [finding.rule for finding in report.of_layer("static")] == ["import_left_out"]
    called = SCREENER.screen(HONEST + plotting + "analyze(None, None)\n")
    assert {f.rule for f in called.of_layer("security")} == {"import_not_allowed", "forbidden_call"}


def test_place_of_a_finding_is_exact() -> None:
    (finding,) = rejections(strategy("x = eval('1')"))
    assert (finding.line, finding.column) == (5, 9)


def test_recursion_bomb_is_a_finding_not_a_crash() -> None:
    bomb = strategy("x = " + "-" * 100_000 + "1")
    report = SCREENER.screen(bomb)
    assert not report.passed


@settings(max_examples=10)
@given(st.text(max_size=400))
def test_any_text_gives_a_report(text: str) -> None:
    report = SCREENER.screen(text)
    assert all(finding.message for finding in report.findings)


def test_second_source_costs_no_interpreter() -> None:
    screener = SubprocessScreener()
    screener.screen(HONEST)
    (worker,) = screener._idle
    assert screener.screen(HONEST).passed
    assert screener._idle == [worker]


def test_source_after_a_bomb_is_screened_as_if_there_had_been_none() -> None:
    screener = SubprocessScreener()
    assert not screener.screen(strategy("x = " + "-" * 100_000 + "1")).passed
    assert screener.screen(HONEST).passed


def test_worker_killed_while_idle_is_replaced() -> None:
    screener = SubprocessScreener()
    screener.screen(HONEST)
    os.kill(screener._idle[0].process_id, signal.SIGKILL)
    assert screener.screen(HONEST).passed


def test_child_beyond_its_processor_time_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(*_: object) -> list[object]:
        while True:
            pass

    monkeypatch.setattr(worker, "CPU_SECONDS", 1)
    monkeypatch.setattr(worker, "screen_text", spin)
    status, answer = worker._in_child(b"", Author.HUMAN)
    assert os.WIFSIGNALED(status)
    assert answer == b""
    screener = SubprocessScreener()
    monkeypatch.setattr(screener, "_exchange", lambda *_: (status, answer))
    assert screener.screen(HONEST).findings[0].rule == "unscreenable"


def test_worker_that_does_not_answer_is_killed_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screener = SubprocessScreener()
    screener.screen(HONEST)
    stopped = screener._idle[0].process_id
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr("stratlab.screening.screener.TIMEOUT_SECONDS", 0.3)
    report = screener.screen(HONEST)
    assert [finding.message for finding in report.findings] == ["screening took too long"]
    assert state(stopped) == GONE
    monkeypatch.undo()
    assert screener.screen(HONEST).passed


def test_process_that_does_not_start_is_nobodys_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratlab.screening.screener.sys.executable", "/bin/false")
    with pytest.raises(UnavailableError, match="does not start"):
        SubprocessScreener().screen(HONEST)
    monkeypatch.setattr("stratlab.screening.screener.sys.executable", "/nowhere/python")
    with pytest.raises(UnavailableError, match="cannot start"):
        SubprocessScreener().screen(HONEST)


def test_many_threads_get_their_own_answers() -> None:
    screener = SubprocessScreener()
    sources = [HONEST, *(strategy(f"x = eval('{n}')") for n in range(15))]
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(screener.screen, sources))
    assert [report.passed for report in reports] == [True] + [False] * 15
    assert len(screener._idle) <= 2


def test_no_process_is_left_when_the_screener_is_gone() -> None:
    screener = SubprocessScreener()
    screener.screen(HONEST)
    worker_id = screener._idle[0].process_id
    del screener
    gc.collect()
    assert state(worker_id) == GONE


def test_worker_ends_with_a_killed_controller() -> None:
    program = (
        "import time; from stratlab.screening import SubprocessScreener as S;"
        "s = S(); s.screen(''); print(s._idle[0].process_id, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as controller:
        worker_id = int(controller.stdout.readline())
        assert state(worker_id) != GONE
        controller.kill()
    deadline = time.monotonic() + 10
    while state(worker_id) not in {GONE, "Z"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return GONE
