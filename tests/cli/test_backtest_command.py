"""``stratlab backtest`` and ``validate``: one JSON object, its schema, exit codes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from tests.api.fake_lab import ServedLab
from tests.api.samples import FAILED_RESULT, REJECTION, RESULT
from tests.cli.conftest import Ended

from stratlab.campaigns.backtest import BacktestReport
from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.errors import EngineUnavailableError
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import Limits, Outcome

Program = Callable[..., Ended]
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "backtest.schema.json").read_text()
)
SOURCE = "def initialize(context):\n    pass\n"


@pytest.fixture
def strategy(tmp_path: Path) -> str:
    (tmp_path / "strategy.py").write_text(SOURCE)
    return "strategy.py"


def checked(ended: Ended) -> dict:
    record = json.loads(ended.out)  # fails on anything but one document
    jsonschema.Draft202012Validator(SCHEMA).validate(record)
    return record


def test_schema_is_a_schema_and_demands_what_is_promised() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    promised = "trial_id outcome reason error metrics orders_digest fills runtime engine image_id"
    promised += " seccomp_digest limits usage"
    assert set(promised.split()) <= set(SCHEMA["required"])
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == {None, *Outcome}


def test_backtest_json_of_a_success(served: ServedLab, stratlab: Program, strategy: str) -> None:
    ended = stratlab(
        *("backtest", strategy, "--json", "--params", "fast=10,mult=2.5", "--params", "k=-1e3"),
        *("--symbols", "AAPL,IBM", "--start", "2002-01-02", "--end", "2003-12-31"),
        *("--cost-model", "zipline", "--capital", "5000", "--seed", "3", "--skip-screening"),
        *("--max-leverage", "2.5"),
    )
    record = checked(ended)
    assert ended.code == 0
    assert record["outcome"] == "SUCCEEDED"
    assert record["error"] is None
    assert record["metrics"]["sharpe_ratio"] == 0.5
    assert [fill["amount"] for fill in record["fills"]] == [100, -100]
    assert record["usage"]["max_rss_bytes"] == 200_000_000
    (request,) = served.lab.backtester.requests
    assert request.source == SOURCE
    assert request.parameters == {"fast": 10, "mult": 2.5, "k": -1000}
    assert request.symbols == ("AAPL", "IBM")
    assert (str(request.start), str(request.end)) == ("2002-01-02", "2003-12-31")
    assert request.cost_model.kind == "zipline"
    assert (request.capital, request.seed, request.skip_screening) == (5000.0, 3, True)
    assert request.limits == Limits(max_leverage=2.5)


def test_backtest_json_of_a_strategy_error(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    served.lab.backtester.report = BacktestReport(FAILED_RESULT, ScreeningReport(), Limits())
    ended = stratlab("backtest", strategy, "--json")
    record = checked(ended)
    assert ended.code == ExitCode.STRATEGY
    assert record["outcome"] == "STRATEGY_ERROR"
    assert record["error"]["type"] == "ZeroDivisionError"
    assert (record["error"]["line"], record["error"]["text"]) == (7, "x = 1 / 0")
    assert record["metrics"] is None


def test_backtest_json_of_a_rejection(served: ServedLab, stratlab: Program, strategy: str) -> None:
    served.lab.backtester.report = BacktestReport(None, REJECTION, Limits())
    ended = stratlab("backtest", strategy, "--json")
    record = checked(ended)
    assert ended.code == ExitCode.STRATEGY
    assert record["rejected"]
    assert record["outcome"] is None
    assert record["error"]["type"] == "forbidden-import"
    assert "imports os" in record["reason"]


def test_backtest_json_of_a_missing_engine(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    served.lab.backtester.error = EngineUnavailableError("no engine answers")
    ended = stratlab("backtest", strategy, "--json")
    record = checked(ended)
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert record["error"]["type"] == "ENGINE_UNAVAILABLE"
    assert "make engine" in record["error"]["hint"]


@pytest.mark.parametrize("outcome", Outcome)
def test_backtest_exit_code_follows_the_outcome(
    served: ServedLab, stratlab: Program, strategy: str, outcome: Outcome
) -> None:
    result = replace(RESULT, outcome=outcome, metrics=None)
    served.lab.backtester.report = BacktestReport(result, ScreeningReport(), Limits())
    ended = stratlab("backtest", strategy, "--json")
    assert checked(ended)["outcome"] == outcome.value
    expected = {
        "SUCCEEDED": 0,
        "FORGED": 5,
        "LOOKAHEAD": 5,
        "PROTOCOL_VIOLATION": 5,
        "LOST": 4,
        "INFRASTRUCTURE": 4,
        "CANCELLED": 130,
    }
    assert ended.code == expected.get(outcome.value, 1)


def test_backtest_warnings_are_3_only_under_strict(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    warned = ScreeningReport(REJECTION.findings[1:])
    served.lab.backtester.report = BacktestReport(RESULT, warned, Limits())
    assert stratlab("backtest", strategy).code == ExitCode.OK
    assert stratlab("backtest", strategy, "--strict").code == ExitCode.WARNINGS


def test_backtest_for_people_shows_metrics_beside_the_benchmark(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    ended = stratlab("backtest", strategy)
    assert "SUCCEEDED" in ended.out
    assert "benchmark" in ended.out
    assert "sharpe_ratio" in ended.out
    assert "2 fills" in ended.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--params", "fast"], "--params"),
        (["--params", "fast="], "--params"),
        (["--params", "fast=ten"], "--params"),
        (["--params", "fast=nan"], "--params"),
        (["--params", "fast=inf"], "--params"),
        (["--params", "fast=0x10"], "--params"),
        (["--params", "fast=1_000"], "--params"),
        (["--params", "fast=off"], "not a number"),
        (["--params", "a=1", "--params", "a=2"], "twice"),
        (["--params", "a b=2"], "--params"),
        (["--start", "01/02/2003"], "--start"),
        (["--start", "2003-02-30"], "--start"),
        (["--start", "2004-01-01", "--end", "2003-01-01"], "after"),
        (["--capital", "0"], "--capital"),
        (["--capital", "-5"], "capital"),
        (["--capital", "nan"], "capital"),
        (["--max-leverage", "0"], "max_leverage"),
        (["--cost-model", "free"], "--cost-model"),
        (["--runtime", "--privileged"], "runtime"),
        (["--engine", "slow"], "engine"),
        (["--seed", "-1"], "seed"),
        (["--data", "../x"], "data_set"),
    ],
)
def test_backtest_bad_argument_is_usage_and_named(
    served: ServedLab, stratlab: Program, strategy: str, arguments: list[str], named: str
) -> None:
    ended = stratlab("backtest", strategy, "--json", *arguments)
    assert ended.code == ExitCode.USAGE
    assert named in ended.out
    checked(ended)
    assert not served.lab.backtester.requests


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"x = 1\0", b"#" * 300_000, b"#" * 2_000_000],
    ids=["empty", "utf16", "nul", "large", "huge"],
)
def test_backtest_unreadable_source_is_usage(
    served: ServedLab, stratlab: Program, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    assert stratlab("backtest", "bad.py").code == ExitCode.USAGE
    assert stratlab("validate", "bad.py").code == ExitCode.USAGE
    assert stratlab("backtest", str(tmp_path)).code == ExitCode.USAGE
    assert stratlab("backtest", "missing.py").code == ExitCode.USAGE


def test_validate_accepts_rejects_and_warns(
    served: ServedLab, stratlab: Program, tmp_path: Path, strategy: str
) -> None:
    (tmp_path / "bad.py").write_text("import os\n\ndef initialize(context):\n    os.abort()\n")
    assert stratlab("validate", strategy).code == ExitCode.OK
    rejected = stratlab("validate", "bad.py", "--json")
    assert rejected.code == ExitCode.STRATEGY
    record = json.loads(rejected.out)
    assert not record["passed"]
    assert record["findings"][0]["line"] == 4
    served.close()
    assert stratlab("validate", "bad.py").code == ExitCode.STRATEGY
