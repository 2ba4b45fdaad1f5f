"""Runs a strategy by zipline's own run_algorithm over its own bundle; prints what happened.

Usage: plain_zipline.py DESCRIPTION STRATEGY START END CAPITAL

The strategy's text may use the names of the lab, whose text is put in front of it.
"""

import json
import logging
import sys
import types
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from make_tier import frames
from zipline import run_algorithm
from zipline.data.bundles import ingest, register
from zipline.utils.calendar_utils import get_calendar


def main() -> None:
    description, strategy, start, end, capital = sys.argv[1:]
    data = frames(json.loads(Path(description).read_text()))
    calendar = get_calendar("XNYS")

    def write(
        environ: Any,
        assets: Any,
        minutes: Any,
        days: Any,
        adjustments: Any,
        *_: Any,
    ) -> None:
        del environ, minutes
        days.write(data.bars)
        assets.write(
            equities=data.equities,
            exchanges=pd.DataFrame({"exchange": ["TEST"], "country_code": ["US"]}),
        )
        adjustments.write(splits=data.splits, dividends=data.dividends)

    register(
        "plain",
        write,
        calendar_name="XNYS",
        start_session=data.sessions[0],
        end_session=data.sessions[-1],
    )
    ingest("plain")
    module = types.ModuleType("exported")
    sys.modules["exported"] = module
    lab = files("stratlab_runner").joinpath("lab.py").read_text()
    exec(compile(lab + Path(strategy).read_text(), "exported", "exec"), module.__dict__)  # noqa: S102 - the test's own text
    functions = {
        name: module.__dict__[name]
        for name in ("initialize", "handle_data", "before_trading_start")
        if name in module.__dict__
    }
    logging.disable()
    performance = run_algorithm(
        start=pd.Timestamp(start),
        end=pd.Timestamp(end),
        capital_base=float(capital),
        bundle="plain",
        trading_calendar=calendar,
        benchmark_returns=pd.Series(0.0, index=data.sessions.tz_localize("UTC")),
        default_extension=False,
        **functions,
    )
    fills = [
        [int(each["dt"].normalize().timestamp()), each["sid"].symbol, each["amount"], each["price"]]
        for day in performance["transactions"]
        for each in day
        if each["order_id"] is not None  # the settlement of a delisted position
    ]
    print(json.dumps({"fills": fills, "values": list(performance["portfolio_value"])}))


if __name__ == "__main__":
    main()
