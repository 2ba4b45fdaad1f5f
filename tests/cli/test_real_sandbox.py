"""The whole way: data, backtests and a campaign through real containers, by the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from stratlab.cli.exit_codes import ExitCode

pytestmark = pytest.mark.docker

RUN = "from stratlab.cli.main import run; run()"
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "backtest.schema.json").read_text()
)
BUY = """
from zipline.api import order, symbol

def initialize(context):
    context.asset = symbol(context.symbols[0])
    context.is_bought = False

def handle_data(context, data):
    if not context.is_bought:
        order(context.asset, int(context.params["shares"]))
        context.is_bought = True
"""
CRASH = """
def initialize(context):
    context.count = 0

def handle_data(context, data):
    context.count += 1
    if context.count == 3:
        raise KeyError("planned")
"""


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(home: Path, *arguments: str) -> tuple[int, str, str]:
    with start(home, *arguments) as program:
        out, err = program.communicate(timeout=240)
    assert "Traceback" not in err
    return program.returncode, out, err


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    code, _, err = finish(home, "data", "build", "us-daily")
    assert code == ExitCode.OK, err
    return home


def test_built_data_verifies_and_one_changed_byte_does_not(home: Path) -> None:
    assert finish(home, "data", "verify", "us-daily")[0] == ExitCode.OK
    prices = home / "data" / "us-daily" / "prices.parquet"
    original, mode = prices.read_bytes(), prices.stat().st_mode
    prices.chmod(0o600)
    prices.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    try:
        assert finish(home, "data", "verify", "us-daily")[0] == ExitCode.INTEGRITY
    finally:
        prices.write_bytes(original)
        prices.chmod(mode)
    assert finish(home, "data", "verify", "us-daily")[0] == ExitCode.OK


def test_backtests_share_a_server_and_report_what_happened(home: Path, tmp_path: Path) -> None:
    (tmp_path / "buy.py").write_text(BUY)
    (tmp_path / "crash.py").write_text(CRASH)
    with start(home, "serve", "--json") as server:
        try:
            json.loads(server.stdout.readline())
            flags = ("--json", "--symbols", "IBM", "--params", "shares=100")
            code, out, _ = finish(home, "backtest", str(tmp_path / "buy.py"), *flags)
            bought = json.loads(out)
            assert code == ExitCode.OK, out
            assert bought["outcome"] == "SUCCEEDED"
            assert [fill["amount"] for fill in bought["fills"]] == [100]
            assert bought["image_id"].startswith("sha256:")
            assert bought["usage"]["max_rss_bytes"] > 10_000_000
            code, again, _ = finish(home, "backtest", str(tmp_path / "buy.py"), *flags)
            assert json.loads(again)["orders_digest"] == bought["orders_digest"] != ""
            assert (bought["engine"], bought["fallbacks"]) == ("fast", {})
            assert bought["data_calls"] > 0
            code, out, _ = finish(
                home, "backtest", str(tmp_path / "buy.py"), "--engine", "stock", *flags
            )
            stock = json.loads(out)
            assert (stock["engine"], stock["data_calls"]) == ("stock", 0)
            assert stock["orders_digest"] == bought["orders_digest"]
            code, out, _ = finish(home, "backtest", str(tmp_path / "crash.py"), "--json")
            crashed = json.loads(out)
            assert code == ExitCode.STRATEGY
            assert crashed["outcome"] == "STRATEGY_ERROR"
            assert crashed["error"]["type"] == "KeyError"
            assert crashed["error"]["text"] == 'raise KeyError("planned")'
            assert (
                CRASH.splitlines()[crashed["error"]["line"] - 1].strip() == crashed["error"]["text"]
            )
            for record in (bought, crashed):
                jsonschema.Draft202012Validator(SCHEMA).validate(record)
        finally:
            server.terminate()
        assert server.wait(timeout=60) == 0


IDLE = """
def initialize(context):
    pass

def handle_data(context, data):
    pass
"""
CLASS = """
from zipline.api import order, symbol

class BuyStrategy:
    def should_trade(self, context, data):
        return not context.portfolio.positions

    def execute(self, context, data):
        order(symbol(context.symbols[0]), int(context.params["shares"]))
"""


def test_smoke_runs_find_what_only_running_shows(home: Path, tmp_path: Path) -> None:
    sources = {"buy": BUY, "class": CLASS, "crash": CRASH, "idle": IDLE}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    flags = ("--symbols", "IBM", "--params", "shares=100", "--json")
    code, out, err = finish(home, "validate", str(tmp_path), "--smoke", *flags)
    assert code == ExitCode.STRATEGY, err
    record = json.loads(out)
    found = {
        Path(finding["path"]).stem: (finding["rule"], finding["severity"], finding["line"])
        for finding in record["findings"]
        if finding["layer"] == "smoke"
    }
    line = CRASH.splitlines().index('        raise KeyError("planned")') + 1
    assert found == {
        "crash": ("strategy_error", "error", line),
        "idle": ("no_orders", "warning", 0),
    }
    (crash,) = [f for f in record["findings"] if f["rule"] == "strategy_error"]
    assert "KeyError: 'planned' (in `raise KeyError(\"planned\")`)" in crash["message"]
    assert {Path(file["path"]).stem: file["passed"] for file in record["files"]} == {
        "buy": True,
        "class": True,
        "crash": False,
        "idle": True,
    }


IDLE_YEAR = """
markets: [[GOOG]]
generator: template
templates: [ema_cross_atr]
parameter_search: {screen_points: 0}
parameter_space: {fast_length: [190, 190, 1], slow_length: [200, 200, 1]}
stop_rules: {max_iterations: 1}
review: required
"""


def test_idle_year_of_a_campaign_waits_for_review_and_goes_on_in_a_server(
    tmp_path: Path, home: Path
) -> None:
    own = tmp_path / "home"
    own.mkdir(mode=0o700)
    (own / "data").symlink_to(home / "data")
    spec = tmp_path / "spec.yaml"
    spec.write_text(IDLE_YEAR)
    code, out, err = finish(own, "campaign", "run", "--spec", str(spec))
    assert code == ExitCode.INTERRUPTED, err
    assert "State paused (REVIEW), iteration 1" in out
    # The year begins with the first bar of the market.
    assert "no order was placed from 2004-08-19 to 2005-08-18" in out
    assert "stratlab campaign approve" in out
    name = json.loads(finish(own, "campaign", "list", "--json")[1])[0]["name"]
    with start(own, "serve", "--json") as server:
        try:
            json.loads(server.stdout.readline())
            assert finish(own, "campaign", "approve", name)[0] == ExitCode.OK
            finish(own, "campaign", "watch", name)
            record = json.loads(finish(own, "campaign", "show", name, "--json")[1])
        finally:
            server.terminate()
        assert server.wait(timeout=60) == 0
    assert record["state"] == "completed"
    (iteration,) = record["iterations"]
    assert [finding["rule"] for finding in iteration["findings"]] == ["no_orders"]
    trials = {trial["purpose"]: trial["attempt"] for trial in iteration["trials"]}
    assert trials == {"smoke": 1, "search": 1}


def test_campaign_without_a_server_is_interrupted_continued_and_reported(home: Path) -> None:
    with start(home, "campaign", "run", "--iterations", "1", "--seed", "7") as program:
        assert any("campaign_running" in line for line in program.stderr)
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=60) == ExitCode.INTERRUPTED
        assert "nothing is lost" in program.stderr.read()
    _, out, _ = finish(home, "campaign", "list", "--json")
    (interrupted,) = json.loads(out)
    assert interrupted["state"] == "campaign_running"
    # A controller inside the next command continues it beside its own.
    code, out, _ = finish(home, "campaign", "run", "--iterations", "1", "--seed", "7", "--json")
    own = json.loads(out)
    assert code == ExitCode.OK
    assert own["state"] == "completed"
    assert own["verdict"]["kind"] == "iterate"
    assert len(own["iterations"]) == 1
    assert Path(own["report"]).is_file()
    with start(home, "serve", "--json") as server:
        try:
            json.loads(server.stdout.readline())
            code, out, _ = finish(home, "campaign", "watch", interrupted["name"])
            assert code == ExitCode.OK
            # The same seed gives the same result, interrupted or not.
            assert f"Result hash: {own['result_hash']}" in out
        finally:
            server.terminate()
        assert server.wait(timeout=60) == 0
    code, out, _ = finish(home, "audit", "verify", "--json")
    assert code == ExitCode.OK
    assert len(json.loads(out)["campaigns"]) == 2
