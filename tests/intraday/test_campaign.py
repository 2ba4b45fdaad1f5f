"""A campaign with a compiled template over hourly bars that trade around the clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.helpers import DockerJobs, dividends_table, splits_table

from stratlab.domain.market import Tier, TierRange
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.content import canonical

RUN = "from stratlab.cli.main import run; run()"
DAYS = pd.date_range("2021-01-01", "2021-12-31")


def hourly_world():
    """A year of two coins that trend for weeks; a few hours are missing."""
    rng = np.random.default_rng(5)
    labels = pd.date_range(DAYS[0] + pd.Timedelta(hours=1), periods=24 * len(DAYS), freq="h")
    tables = []
    for symbol, start in (("COIN", 200.0), ("OTHR", 40.0)):
        drift = np.repeat(rng.choice([-1, 1], size=len(labels) // 300 + 1), 300)[: len(labels)]
        close = start * np.exp(np.cumsum(drift * 4e-4 + rng.normal(0, 0.003, len(labels))))
        before = np.concatenate(([start], close[:-1]))
        table = pd.DataFrame(
            {
                "symbol": symbol,
                "label": labels,
                "open": before,
                "high": np.maximum(before, close) * 1.001,
                "low": np.minimum(before, close) * 0.999,
                "close": close,
                "volume": rng.integers(10_000, 1_000_000, len(labels)),
            }
        )
        tables.append(table[rng.random(len(table)) > 0.01])
    return canonical(
        calendar="24/7",
        timeframe="1h",
        prices=pd.concat(tables),
        splits=splits_table(),
        dividends=dividends_table(),
        tiers={
            Tier.TRAIN: TierRange(DAYS[40].date(), DAYS[200].date()),
            Tier.VALIDATION: TierRange(DAYS[201].date(), DAYS[290].date()),
            Tier.HOLDOUT: TierRange(DAYS[291].date(), DAYS[-1].date()),
        },
    )


@pytest.mark.docker
@pytest.mark.load
def test_template_is_searched_over_hourly_bars_and_reported(tmp_path):
    build_data_set(tmp_path, "coins", hourly_world(), DockerJobs(), provenance="generated")
    flags = ("--data", "coins", "--template", "ema_cross_atr", "--iterations", "1", "--json")
    done = subprocess.run(
        [sys.executable, "-c", RUN, "campaign", "run", "--generator", "template", *flags],
        env={**os.environ, "STRATLAB_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    campaign = json.loads(done.stdout)
    assert campaign["state"] == "completed"
    # The data set's own, for nothing else was asked for.
    assert campaign["spec"]["timeframes"] == ["1h"]
    assert campaign["stats"]["outcomes"] == {"SUCCEEDED": 2}
    (iteration,) = campaign["iterations"]
    trials = [trial for trial in iteration["trials"] if trial["metrics"]]
    assert len(trials) == 2
    assert all(trial["metrics"]["total_trades"] > 5 for trial in trials)
    report = Path(campaign["report"])
    assert report.is_file()
    (exported,) = report.parent.glob("exports/diagnostics.json")
    assert "INTRADAY_BARS" in exported.read_text()
