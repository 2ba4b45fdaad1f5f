"""Runs inside the image: buys each symbol once under plain zipline and prints its equity curve.

Usage: ``python -P buy_and_hold.py MOUNT``; prints JSON {symbol: {session: portfolio value}}. Each
symbol runs in a child that was forked after the tier was opened, as trials do.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import pandas as pd
from zipline.algorithm import TradingAlgorithm
from zipline.api import order, set_commission, set_slippage, symbol
from zipline.data.data_portal import DataPortal
from zipline.finance.commission import PerShare
from zipline.finance.slippage import NoSlippage
from zipline.finance.trading import SimulationParameters

from stratlab_runner.tier_data import open_tier

SHARES = 1001
CAPITAL = 1_000_000.0


def buy_and_hold(tier, asset):
    """Return the portfolio value at the end of every session, from the asset's first one on."""

    def initialize(context):
        set_slippage(NoSlippage())
        set_commission(PerShare(cost=0.0, min_trade_cost=0.0))
        context.bought = False

    def handle_data(context, data):
        if not context.bought:
            context.bought = True
            order(symbol(asset.symbol), SHARES)

    parameters = SimulationParameters(
        start_session=asset.start_date,
        end_session=tier.last_session,
        trading_calendar=tier.calendar,
        capital_base=CAPITAL,
        data_frequency="daily",
    )
    algorithm = TradingAlgorithm(
        initialize=initialize,
        handle_data=handle_data,
        sim_params=parameters,
        data_portal=DataPortal(
            tier.asset_finder,
            tier.calendar,
            tier.first_session,
            equity_daily_reader=tier.bar_reader,
            adjustment_reader=tier.adjustment_reader,
        ),
        asset_finder=tier.asset_finder,
        trading_calendar=tier.calendar,
        benchmark_returns=pd.Series(0.0, index=parameters.sessions),
    )
    values = algorithm.run()["portfolio_value"]
    return {str(day.date()): value for day, value in values.items()}


def in_child(function, *arguments):
    """Return what a function returns in a forked process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            json.dump(function(*arguments), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return json.loads(content)


def main(mount):
    """Print the equity curve of every symbol."""
    tier = open_tier(Path(mount))
    assets = tier.asset_finder.retrieve_all(tier.asset_finder.sids)
    json.dump({asset.symbol: in_child(buy_and_hold, tier, asset) for asset in assets}, sys.stdout)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(*sys.argv[1:])
