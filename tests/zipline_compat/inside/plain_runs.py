"""Runs algorithms by zipline's own run_algorithm over a tier's mount, taken as its bundle.

Usage: plain_runs.py JOBS RESULTS

JOBS is a list of {source, start, end, capital}; RESULTS receives what each did. Each has zipline's
default costs, which the lab imposes under the cost model ``zipline``: they are set again after
the algorithm's own ``initialize``.
"""

import contextlib
import io
import json
import logging
import shutil
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from zipline import run_algorithm
from zipline.assets.asset_db_schema import ASSET_DB_VERSION
from zipline.data.bundles import ingest, register
from zipline.finance.commission import PerShare
from zipline.finance.slippage import FixedBasisPointsSlippage
from zipline.utils.calendar_utils import get_calendar

TIER = Path("/data")
BUNDLE = "tier"


def ingest_tier() -> pd.DatetimeIndex:
    """Make the mount a bundle, file by file; return its sessions."""
    description = json.loads((TIER / "tier.json").read_text())
    sessions = get_calendar(description["calendar"]).sessions_in_range(
        description["first_session"], description["last_session"]
    )
    made: list[str] = []
    register(
        BUNDLE,
        lambda *arguments: made.append(arguments[-1]),
        calendar_name=description["calendar"],
        start_session=sessions[0],
        end_session=sessions[-1],
    )
    ingest(BUNDLE)
    folder = Path(made[0])
    shutil.rmtree(folder / "daily_equities.bcolz")
    shutil.copytree(TIER / "daily_equities.bcolz", folder / "daily_equities.bcolz")
    shutil.copy(TIER / "adjustments.sqlite", folder / "adjustments.sqlite")
    shutil.copy(TIER / "assets.sqlite", folder / f"assets-{ASSET_DB_VERSION}.sqlite")
    return sessions


def load(source: str) -> dict[str, Any]:
    """Return the algorithm's functions, with zipline's default costs in place of its own."""
    module = types.ModuleType("strategy")
    sys.modules[module.__name__] = module
    exec(compile(source, "strategy", "exec"), module.__dict__)  # noqa: S102 - the test's own text
    functions = {
        name: module.__dict__[name]
        for name in ("handle_data", "before_trading_start")
        if name in module.__dict__
    }
    return functions | {"initialize": _with_default_costs(module.initialize)}


def _with_default_costs(initialize: Callable[[Any], None]) -> Callable[[Any], None]:
    def wrapped(context: Any) -> None:
        initialize(context)
        context.set_slippage(us_equities=FixedBasisPointsSlippage())
        context.set_commission(us_equities=PerShare())

    return wrapped


def run(job: Mapping[str, Any], sessions: pd.DatetimeIndex) -> dict[str, Any]:
    """Run one algorithm."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        performance = run_algorithm(
            start=pd.Timestamp(job["start"]),
            end=pd.Timestamp(job["end"]),
            capital_base=job["capital"],
            bundle=BUNDLE,
            trading_calendar=get_calendar("XNYS"),
            benchmark_returns=pd.Series(0.0, index=sessions.tz_localize("UTC")),
            default_extension=False,
            **load(job["source"]),
        )
    fills = [
        [int(each["dt"].normalize().timestamp()), each["sid"].symbol, each["amount"], each["price"]]
        for day in performance["transactions"]
        for each in day
        if each["order_id"] is not None  # the settlement of a delisted position
    ]
    bars = [int(day.normalize().timestamp()) for day in performance.index]
    values = [list(pair) for pair in zip(bars, performance["portfolio_value"], strict=True)]
    return {"fills": fills, "equity": values, "printed": printed.getvalue()}


def main() -> None:
    jobs, results = Path(sys.argv[1]), Path(sys.argv[2])
    logging.disable()
    warnings.simplefilter("ignore")
    sessions = ingest_tier()
    done = []
    for job in json.loads(jobs.read_text()):
        try:
            done.append(run(job, sessions))
        except Exception:  # noqa: BLE001 - one algorithm's failure is the finding of one test
            done.append({"error": traceback.format_exc()})
    results.write_text(json.dumps(done))


if __name__ == "__main__":
    main()
