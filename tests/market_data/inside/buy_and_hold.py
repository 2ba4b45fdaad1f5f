"""Runs inside the image: buys each symbol once under plain zipline and prints its equity curve.

Usage: ``python -P buy_and_hold.py MOUNT START``; prints JSON {symbol: {session: value}}.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402 - after the filter
from stratlab_runner.tier_data import open_tier  # noqa: E402
from zipline.algorithm import TradingAlgorithm  # noqa: E402
from zipline.api import order, set_commission, set_slippage, symbol  # noqa: E402
from zipline.data.data_portal import DataPortal  # noqa: E402
from zipline.finance.commission import PerShare  # noqa: E402
from zipline.finance.slippage import NoSlippage  # noqa: E402
from zipline.finance.trading import SimulationParameters  # noqa: E402

SHARES = 1001
CAPITAL = 1_000_000.0


def buy_and_hold(tier, name, start):
    """Return the portfolio value at the end of every session."""

    def initialize(context):
        set_slippage(NoSlippage())
        set_commission(PerShare(cost=0.0, min_trade_cost=0.0))
        context.bought = False

    def handle_data(context, data):
        if not context.bought:
            context.bought = True
            order(symbol(name), SHARES)

    portal = DataPortal(
        tier.asset_finder,
        tier.calendar,
        tier.first_session,
        equity_daily_reader=tier.bar_reader,
        adjustment_reader=tier.adjustment_reader,
    )
    parameters = SimulationParameters(
        start_session=start,
        end_session=tier.last_session,
        trading_calendar=tier.calendar,
        capital_base=CAPITAL,
        data_frequency="daily",
    )
    algorithm = TradingAlgorithm(
        initialize=initialize,
        handle_data=handle_data,
        sim_params=parameters,
        data_portal=portal,
        asset_finder=tier.asset_finder,
        trading_calendar=tier.calendar,
        benchmark_returns=pd.Series(0.0, index=parameters.sessions),
    )
    values = algorithm.run()["portfolio_value"]
    return {str(day.date()): value for day, value in values.items()}


def main(mount, start):
    """Print the equity curve of every symbol."""
    tier = open_tier(Path(mount))
    curves = {}
    for asset in tier.asset_finder.retrieve_all(tier.asset_finder.sids):
        first = max(pd.Timestamp(start), asset.start_date)
        curves[asset.symbol] = buy_and_hold(tier, asset.symbol, first)
    json.dump(curves, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
