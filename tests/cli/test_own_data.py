"""Data of users through real containers: every trap of daily data, and folder to campaign."""

import json
import os
import subprocess
import sys
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.market_data.imports.builders import sessions, walk, write_folder

pytestmark = pytest.mark.docker

RUN = "from stratlab.cli.main import run; run()"
DAYS = sessions(date(2010, 1, 4), date(2011, 12, 30))
CAPITAL = 10_000_000.0
SLIPPAGE = 5e-4
ORDERS = {"EURUSD": 400, "MERVAL": 3, "PENNY": 500, "BANK": 100, "SPLIT": 101, "OLD": 50}
LOTS = {"EURUSD": 1000, "MERVAL": 0.1, "PENNY": 100}
# Rows of the whole history; train begins at 50.
BUY, SELL, GAP, PAID, SPLIT_AT, END_OF_OLD = 60, 100, 120, 140, 160, 200
TRADE = """
from zipline.api import get_open_orders, order, symbol

def initialize(context):
    context.bars = 0

def handle_data(context, data):
    context.bars += 1
    if context.bars == 10:
        for name in context.symbols:
            # A fraction of a share is cut off.
            order(symbol(name), context.params[name] + 0.7)
    if context.bars == 50:
        order(symbol("EURUSD"), -context.params["EURUSD"] // 2)
"""


def stratlab(home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Return what vendors deliver, each symbol with a trap of its own, and one day without bars."""
    made = {
        "EURUSD": walk(DAYS, start=1.08765, volatility=0.004, decimals=5, volume=3e8, seed=1),
        "MERVAL": walk(DAYS, start=5.2e6, decimals=2, seed=2),
        "PENNY": walk(DAYS, start=0.0523, volatility=0.004, decimals=4, volume=9e9, seed=3),
        "BANK": walk(DAYS, start=51.2, volume=6e9, seed=4),
        "SPLIT": walk(DAYS, start=90.0, seed=5),
        "OLD": walk(DAYS[: END_OF_OLD + 1], start=30.0, seed=6),
    }
    prices = ["Open", "High", "Low", "Close"]
    made["SPLIT"].loc[SPLIT_AT:, prices] = (made["SPLIT"].loc[SPLIT_AT:, prices] / 2).round(2)
    return {name: table.drop(index=GAP) for name, table in made.items()}


def test_trial_on_every_trap_equals_the_arithmetic_of_the_files(
    tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """SUCCEEDED means that the host arrived at the container's fills and equity to 1e-9."""
    folder = write_folder(tmp_path / "in", tables)
    ex_day = DAYS[PAID].date()
    saturday = (DAYS[PAID] + pd.offsets.Week(weekday=5)).date()
    (folder / "dividends.csv").write_text(
        f"symbol,ex_date,pay_date,amount\nSPLIT,{ex_day},{saturday},0.35\n"
        f"EURUSD,{ex_day},{ex_day},0.00021\n"
    )
    (folder / "splits.csv").write_text(f"symbol,date,ratio\nSPLIT,{DAYS[SPLIT_AT].date()},2:1\n")
    home = tmp_path / "home"
    stratlab(home, "data", "add", "traps", str(folder))
    (tmp_path / "trade.py").write_text(TRADE)
    record = json.loads(
        stratlab(
            home,
            *("backtest", str(tmp_path / "trade.py"), "--data", "traps", "--json"),
            *("--capital", str(CAPITAL)),
            *(word for name, lots in ORDERS.items() for word in ("--params", f"{name}={lots}")),
        )
    )
    assert (record["outcome"], record["error"]) == ("SUCCEEDED", None)
    bought = {fill["symbol"]: fill for fill in record["fills"] if fill["amount"] > 0}
    cash, last = CAPITAL, DAYS.get_loc(pd.Timestamp(record["end"]))
    for name, lots in ORDERS.items():
        fill, file = bought[name], tables[name]
        assert fill["amount"] == pytest.approx(lots * LOTS.get(name, 1), rel=1e-12)
        assert fill["price"] == pytest.approx(file["Open"][BUY] * (1 + SLIPPAGE), rel=1e-9)
    held = {name: fill["amount"] for name, fill in bought.items()}
    for fill in record["fills"]:
        cash -= fill["amount"] * fill["price"] + fill["commission"]
    sold = next(fill for fill in record["fills"] if fill["amount"] < 0)
    assert sold["price"] == pytest.approx(tables["EURUSD"]["Open"][SELL] * (1 - SLIPPAGE), rel=1e-9)
    held["EURUSD"] += sold["amount"]
    cash += held["SPLIT"] * 0.35 + held["EURUSD"] * 0.00021
    held["SPLIT"] *= 2
    value = sum(
        amount * tables[name]["Close"][min(last, END_OF_OLD if name == "OLD" else last)]
        for name, amount in held.items()
    )
    growth = (cash + value) / CAPITAL - 1
    assert record["metrics"]["cum_returns_final"] == pytest.approx(growth, rel=1e-7)
    assert record["caveats"][0].startswith("Survivorship: nothing is said")
    known = {caveat.split(":")[0] for caveat in record["caveats"]}
    assert {"gap", "lots", "scaled_volume", "ends_early"} <= known


@pytest.mark.load
def test_folder_of_csv_files_to_first_campaign_in_three_commands(tmp_path: Path) -> None:
    raw = pd.read_csv(str(files("stratlab.market_data.us_daily") / "stocks.csv.gz"))
    stocks = {str(name): table.drop(columns="Ticker") for name, table in raw.groupby("Ticker")}
    folder, home = write_folder(tmp_path / "csv", stocks), tmp_path / "home"
    shown = stratlab(home, "data", "add", "mine", str(folder), "--dry-run")
    assert "close = 'Close'" in shown
    stratlab(home, "data", "add", "mine", str(folder))
    campaign = json.loads(
        stratlab(
            home,
            *("campaign", "run", "--data", "mine", "--iterations", "1"),
            *("--prompt", "Trends with moderate turnover", "--json"),
        )
    )
    assert campaign["state"] == "completed"
    assert len(campaign["iterations"]) == 1
    assert campaign["caveats"][0].startswith("Survivorship: ")
    report = Path(campaign["report"]).read_text()
    assert "Survivorship: nothing is said" in report
    text = stratlab(home, "campaign", "show", campaign["name"])
    assert "About the data: Survivorship: nothing is said" in text
    stratlab(home, "data", "verify", "mine")
    stratlab(home, "data", "remove", "mine", "--yes")
    text = stratlab(home, "campaign", "show", campaign["name"])
    assert "was removed or replaced" in text
    assert np.isfinite(campaign["iterations"][0]["evaluation"]["train"]["sharpe_ratio"])
