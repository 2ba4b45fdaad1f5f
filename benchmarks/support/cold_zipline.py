"""A strategy by stock zipline in a fresh interpreter, as a script that is started for one run.

Usage: cold_zipline.py STRATEGY START END CAPITAL, with the data of a tier in /data.
"""

import logging
import sys
import types
from pathlib import Path

import pandas as pd
from zipline.algorithm import TradingAlgorithm
from zipline.data.data_portal import DataPortal
from zipline.finance.trading import SimulationParameters

from stratlab_runner.tier_data import open_tier


def main(strategy: str, start: str, end: str, capital: float) -> None:
    """Run it."""
    logging.disable()
    tier = open_tier(Path("/data"))
    module = types.ModuleType("strategy")
    exec(compile(strategy, "strategy", "exec"), module.__dict__)  # noqa: S102 - the benchmark's own text
    sessions = tier.calendar.sessions_in_range(start, end)
    TradingAlgorithm(
        namespace={},
        data_portal=DataPortal(
            tier.asset_finder,
            trading_calendar=tier.calendar,
            first_trading_day=tier.bar_reader.first_trading_day,
            equity_daily_reader=tier.bar_reader,
            adjustment_reader=tier.adjustment_reader,
        ),
        trading_calendar=tier.calendar,
        sim_params=SimulationParameters(
            start_session=sessions[0],
            end_session=sessions[-1],
            trading_calendar=tier.calendar,
            capital_base=capital,
            data_frequency="daily",
        ),
        benchmark_returns=pd.Series(0.0, index=sessions.tz_localize("UTC")),
        initialize=module.initialize,
        handle_data=module.handle_data,
    ).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
