"""A campaign with a compiled template over hourly bars that trade around the clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

RUN = "from stratlab.cli.main import run; run()"
INTRADAY = ("--timeframe", "1h", "--warm-up", "40")
DAYS = pd.date_range("2021-01-01", "2021-12-31")


def write_world(folder):
    """A year of two coins that trend for weeks, as a source would give them."""
    rng = np.random.default_rng(5)
    starts = pd.date_range(DAYS[0], periods=24 * len(DAYS), freq="h")
    for symbol, start in (("COIN", 200.0), ("OTHR", 40.0)):
        drift = np.repeat(rng.choice([-1, 1], size=len(starts) // 300 + 1), 300)[: len(starts)]
        close = start * np.exp(np.cumsum(drift * 4e-4 + rng.normal(0, 0.003, len(starts))))
        before = np.concatenate(([start], close[:-1]))
        table = pd.DataFrame(
            {
                "time": starts,
                "open": before,
                "high": np.maximum(before, close) * 1.001,
                "low": np.minimum(before, close) * 0.999,
                "close": close,
                "volume": rng.integers(10_000, 1_000_000, len(starts)),
            }
        )
        table[rng.random(len(table)) > 0.01].to_csv(folder / f"{symbol}.csv", index=False)


def stratlab(home, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments, "--json"],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.docker
@pytest.mark.load
def test_template_is_searched_over_hourly_bars_and_reported(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    write_world(files)
    stratlab(tmp_path, "data", "add", "coins", str(files), "--calendar", "24/7", *INTRADAY)
    chosen = ("--data", "coins", "--generator", "template", "--template", "ema_cross_atr")
    chosen += ("--screen", "0")  # the defaults are known to trade
    campaign = stratlab(tmp_path, "campaign", "run", *chosen, "--iterations", "1")
    assert campaign["state"] == "completed"
    # The data set's own, for nothing else was asked for.
    assert campaign["spec"]["timeframes"] == ["1h"]
    # The smoke run, train and validation.
    assert campaign["stats"]["outcomes"] == {"SUCCEEDED": 3}
    (iteration,) = campaign["iterations"]
    trials = [trial for trial in iteration["trials"] if trial["metrics"]]
    assert len(trials) == 2
    assert all(trial["metrics"]["total_trades"] > 5 for trial in trials)
    report = Path(campaign["report"])
    assert report.is_file()
    (exported,) = report.parent.glob("exports/diagnostics.json")
    assert "INTRADAY_BARS" in exported.read_text()
