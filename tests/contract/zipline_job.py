"""Runs inside the sandbox image: backtests sources under plain zipline on bars from stdin.

Input and output are JSON. Nothing of the controller and of the tests is imported here.
"""

import json
import logging
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

import pandas as pd
from zipline import run_algorithm
from zipline.api import set_commission, set_slippage
from zipline.data import bundles
from zipline.finance.commission import PerShare
from zipline.utils.calendar_utils import get_calendar

from stratlab_runner import lab

CALENDAR = get_calendar("XNYS")
FIELDS = ["open", "high", "low", "close", "volume"]


def register(name, markets, sessions):
    """Ingest markets (symbol -> first, bars, splits, dividends) as a bundle."""

    def ingest(environ, assets, minutes, daily, adjustments, calendar, *args):
        symbols = list(markets)
        assets.write(
            equities=pd.DataFrame(
                {
                    "symbol": symbols,
                    "asset_name": symbols,
                    "start_date": [sessions[markets[s]["first"]] for s in symbols],
                    "end_date": sessions[-1],
                    "exchange": "TEST",
                }
            ),
            exchanges=pd.DataFrame(
                {"exchange": ["TEST"], "canonical_name": ["TEST"], "country_code": ["US"]}
            ),
        )
        frames = []
        for sid, symbol in enumerate(symbols):
            rows = [[value or 0 for value in row] for row in markets[symbol]["bars"]]
            index = sessions[markets[symbol]["first"] :]
            frames.append((sid, pd.DataFrame(rows, index=index, columns=FIELDS)))
        daily.write(frames)
        splits = [
            (sid, ratio, sessions[int(at)])
            for sid, symbol in enumerate(symbols)
            for at, ratio in markets[symbol]["splits"].items()
        ]
        dividends = [
            (sid, amount, sessions[int(ex)], sessions[pay], sessions[int(ex)], sessions[int(ex)])
            for sid, symbol in enumerate(symbols)
            for ex, (pay, amount) in markets[symbol]["dividends"].items()
        ]
        adjustments.write(
            splits=pd.DataFrame(splits, columns=["sid", "ratio", "effective_date"]),
            dividends=pd.DataFrame(
                dividends,
                columns=["sid", "amount", "ex_date", "pay_date", "record_date", "declared_date"],
            ),
        )

    bundles.register(
        name, ingest, calendar_name="XNYS", start_session=sessions[0], end_session=sessions[-1]
    )
    bundles.ingest(name)


def run_script(job, name, sessions):
    """Run an exported file as its reader would, in a process that knows no bundle."""
    start, end = (str(sessions[at].date()) for at in job["window"])
    path = Path(tempfile.mkdtemp(), "best_strategy.py")
    path.write_text(job["source"])
    command = [sys.executable, "-P", str(path), "--bundle", name, "--start", start, "--end", end]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"status": done.returncode, "output": done.stdout, "errors": done.stderr[-2000:]}


def backtest(job, name, sessions):
    """Return fills, orders and the final value of one job."""
    if job["script"]:
        return run_script(job, name, sessions)
    # A module like any other, as it would be when imported from a file.
    module = sys.modules["strategy"] = types.ModuleType("strategy")
    namespace = module.__dict__
    exec(compile(job["source"], "<strategy>", "exec"), namespace)  # noqa: S102 - that is the job
    start, end = sessions[job["window"][0]], sessions[job["window"][1]]
    if job["exported"]:
        performance = namespace["run"](name, str(start.date()), str(end.date()), job["capital"])
    else:

        def initialize(context):
            lab.bind_context(context, job["parameters"], job["symbols"])
            namespace["initialize"](context)
            set_slippage(us_equities=lab.NextOpenSlippage(5.0, 0.1))
            set_commission(us_equities=PerShare(cost=0.001, min_trade_cost=0.0))

        performance = run_algorithm(
            start=start,
            end=end,
            initialize=initialize,
            handle_data=namespace["handle_data"],
            capital_base=job["capital"],
            bundle=name,
            data_frequency="daily",
            trading_calendar=CALENDAR,
            default_extension=False,
        )
    place = {session: number for number, session in enumerate(sessions)}

    def session_of(moment):
        return place[pd.Timestamp(moment).tz_localize(None).normalize()]

    fills = [
        (session_of(fill["dt"]), fill["sid"].symbol, int(fill["amount"]), float(fill["price"]))
        for day in performance["transactions"]
        for fill in day
    ]
    # A day lists every order that changed; the first time it shows what was asked for.
    orders = {}
    for day in performance["orders"]:
        for order in day:
            asked = (session_of(order["created"]), order["sid"].symbol, int(order["amount"]))
            orders.setdefault(order["id"], asked)
    value = float(performance["portfolio_value"].iloc[-1])
    return {"fills": fills, "orders": list(orders.values()), "value": value}


def main():
    """Read all jobs, run them in order, write one result each."""
    warnings.simplefilter("ignore")
    logging.disable()
    request = json.load(sys.stdin)
    sessions = {}
    for name, world in request["worlds"].items():
        days = CALENDAR.sessions_in_range(world["start"], "2022-12-31")
        sessions[name] = days[: world["sessions"]]
        register(name, world["markets"], sessions[name])
    results = [backtest(job, job["world"], sessions[job["world"]]) for job in request["jobs"]]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
