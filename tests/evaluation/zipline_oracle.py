"""Runs scripted order streams under real zipline and reports what it did.

Started inside the sandbox image as ``python -P zipline_oracle.py /io``: reads
``/io/scenarios.json``, writes ``/io/results.json``. Nothing of the controller is imported here.
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
from stratlab_runner.build_tiers import main as build_tiers
from stratlab_runner.tier_data import open_tier
from zipline import api
from zipline.algorithm import TradingAlgorithm
from zipline.data.data_portal import DataPortal
from zipline.finance.blotter import SimulationBlotter
from zipline.finance.trading import SimulationParameters


class LoggingBlotter(SimulationBlotter):
    """Zipline's own blotter, with a log in our numbering."""

    def __init__(self):
        super().__init__()
        self.numbers = {}
        self.log = []
        self.executions = []
        self.moment = (0, "bar")

    def order(self, asset, amount, style, order_id=None):
        placed = super().order(asset, amount, style, order_id)
        if placed is not None:
            self.numbers[placed] = len(self.numbers) + 1
            order = self.orders[placed]
            kinds = {
                (False, False): "market",
                (True, False): "limit",
                (False, True): "stop",
                (True, True): "stop_limit",
            }
            self.log.append(
                {
                    "number": self.numbers[placed],
                    "bar": self.moment[0],
                    "phase": self.moment[1],
                    "symbol": asset.symbol,
                    "amount": amount,
                    "kind": kinds[order.limit is not None, order.stop is not None],
                    "limit_price": order.limit,
                    "stop_price": order.stop,
                }
            )
        return placed

    def cancel(self, order_id, relay_status=True):
        self.log.append(
            {"number": self.numbers[order_id], "bar": self.moment[0], "phase": self.moment[1]}
        )
        super().cancel(order_id, relay_status)

    def get_transactions(self, bar_data):
        transactions, commissions, closed = super().get_transactions(bar_data)
        charged = {item["order"].id: item["cost"] for item in commissions}
        for transaction in transactions:
            self.executions.append(
                {
                    "number": self.numbers[transaction.order_id],
                    "bar": int(pd.Timestamp(transaction.dt.date()).timestamp()),
                    "symbol": transaction.asset.symbol,
                    "amount": int(transaction.amount),
                    "price": float(transaction.price),
                    "commission": float(charged.get(transaction.order_id, 0.0)),
                }
            )
        return transactions, commissions, closed


def run(scenario, folder):
    """Build the scenario's data and run its script."""
    source, target = folder / "in", folder / "out"
    source.mkdir()
    target.mkdir()
    for name, text in scenario["files"].items():
        (source / name).write_text(text)
    build_tiers(source, target)
    data = open_tier(target / "train")
    blotter = LoggingBlotter()
    script = {}
    for step in scenario["script"]:
        script.setdefault((step["bar"], step["phase"]), []).append(step)

    def act(phase):
        moment = (int(pd.Timestamp(api.get_datetime().date()).timestamp()), phase)
        blotter.moment = moment
        ids = {number: order_id for order_id, number in blotter.numbers.items()}
        for step in script.get(moment, ()):
            if "cancel" in step:
                if step["cancel"] in ids:
                    api.cancel_order(ids[step["cancel"]])
            else:
                api.order(
                    api.symbol(step["symbol"]),
                    step["amount"],
                    limit_price=step["limit_price"],
                    stop_price=step["stop_price"],
                )

    sessions = data.calendar.sessions_in_range(scenario["start"], scenario["end"])
    algorithm = TradingAlgorithm(
        sim_params=SimulationParameters(
            start_session=sessions[0],
            end_session=sessions[-1],
            trading_calendar=data.calendar,
            capital_base=scenario["capital"],
            data_frequency="daily",
        ),
        data_portal=DataPortal(
            data.asset_finder,
            trading_calendar=data.calendar,
            first_trading_day=data.bar_reader.first_trading_day,
            equity_daily_reader=data.bar_reader,
            adjustment_reader=data.adjustment_reader,
        ),
        benchmark_returns=pd.Series(0.0, index=sessions),
        blotter=blotter,
        initialize=lambda context: None,
        handle_data=lambda context, bar_data: act("bar"),
        before_trading_start=lambda context, bar_data: act("before_open"),
    )
    performance = algorithm.run()
    return {
        "log": blotter.log,
        "fills": blotter.executions,
        "equity": [
            [int(pd.Timestamp(day.date()).timestamp()), float(value)]
            for day, value in performance["portfolio_value"].items()
        ],
        "cash": [float(value) for value in performance["ending_cash"]],
        "leverage": [float(value) for value in performance["gross_leverage"]],
    }


def main(folder):
    """Run every scenario of ``folder``."""
    scenarios = json.loads((folder / "scenarios.json").read_text())
    results = []
    for scenario in scenarios:
        with tempfile.TemporaryDirectory() as work:
            results.append(run(scenario, Path(work)))
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
