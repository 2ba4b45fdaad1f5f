"""Plain zipline, warm: imports once, then runs the strategy again for every line on stdin.

Runs inside the sandbox image, without the sandbox: ``warm_zipline.py STRATEGY START END CAPITAL``.
The data of a tier lie in /data. Each answer is a line of JSON: seconds, and the last value.
"""

import json
import logging
import sys
import time
import types
from pathlib import Path

import pandas as pd
from zipline.algorithm import TradingAlgorithm
from zipline.data.data_portal import DataPortal
from zipline.finance.trading import SimulationParameters

from stratlab_runner.tier_data import open_tier


def main(strategy: str, start: str, end: str, capital: float) -> None:
    """Answer until stdin ends."""
    logging.disable()
    tier = open_tier(Path("/data"))
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        module = types.ModuleType("strategy")
        exec(compile(strategy, "strategy", "exec"), module.__dict__)  # noqa: S102 - the benchmark's own text
        portal = DataPortal(
            tier.asset_finder,
            trading_calendar=tier.calendar,
            first_trading_day=tier.bar_reader.first_trading_day,
            equity_daily_reader=tier.bar_reader,
            adjustment_reader=tier.adjustment_reader,
        )
        algorithm = TradingAlgorithm(
            namespace={},
            data_portal=portal,
            trading_calendar=tier.calendar,
            sim_params=SimulationParameters(
                start_session=pd.Timestamp(start),
                end_session=pd.Timestamp(end),
                trading_calendar=tier.calendar,
                capital_base=capital,
                data_frequency="daily",
            ),
            benchmark_returns=pd.Series(
                0.0, index=tier.calendar.sessions_in_range(start, end).tz_localize("UTC")
            ),
            initialize=module.initialize,
            handle_data=module.handle_data,
        )
        performance = algorithm.run()
        answer = {
            "wall": time.perf_counter() - began,
            "cpu": time.process_time() - cpu,
            "value": float(performance["portfolio_value"].iloc[-1]),
            "fills": sum(len(day) for day in performance["transactions"]),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
