"""Runs scripted order streams under real zipline and reports what it did.

Started inside the sandbox image as ``python -P zipline_oracle.py FOLDER``: reads
``scenarios.json``, writes ``results.json``. Nothing of the controller is imported here.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
from google.protobuf.json_format import MessageToDict
from zipline import api
from zipline.errors import AccountControlViolation, OrderInBeforeTradingStart
from zipline.utils.api_support import get_algo_instance

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner import lab
from stratlab_runner.build_tiers import main as build_tiers
from stratlab_runner.recording import OrdersBeforeOpenError
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import open_tier


class Notes:
    """Stands for the runner's reporter: keeps what would be sent."""

    def __init__(self):
        self.entries = []
        self.fills = []
        self.points = []

    def log(self, entry):
        self.entries.append(MessageToDict(entry, preserving_proto_field_name=True))

    def fill(self, fill):
        self.fills.append(MessageToDict(fill, preserving_proto_field_name=True))

    def equity(self, bar, value, fraction):
        self.points.append([bar, value])


class Player:
    """Plays a script; numbers of orders and brackets count in the order of placing."""

    def __init__(self, script):
        self.first_bar = script[0]["bar"]
        self.steps = {}
        for step in script:
            self.steps.setdefault((step["bar"], step["phase"]), []).append(step)
        self.order_ids = []
        self.brackets = []
        self.refused = 0

    def initialize(self, context):
        self.play(self.first_bar, "initialize")

    def before_trading_start(self, context, data):
        # Whatever is tried here, and caught, leaves no trace.
        for step in self.steps.get((today(), "before_open"), ()):
            try:
                getattr(self, step["do"])(step)
            except (OrdersBeforeOpenError, OrderInBeforeTradingStart):
                self.refused += 1

    def handle_data(self, context, data):
        self.play(today(), "bar")

    def play(self, bar, phase):
        for step in self.steps.get((bar, phase), ()):
            getattr(self, step["do"])(step)

    def batch(self, step):
        amounts = {api.symbol(name): amount for name, amount in step["amounts"].items()}
        self.order_ids.extend(api.batch_market_order(pd.Series(amounts)))

    def order(self, step):
        placed = api.order(
            api.symbol(step["symbol"]),
            step["amount"],
            limit_price=step["limit_price"],
            stop_price=step["stop_price"],
        )
        if placed is not None:
            self.order_ids.append(placed)

    def cancel(self, step):
        if self.order_ids:
            api.cancel_order(self.order_ids[step["which"] % len(self.order_ids)])

    def bracket(self, step):
        with contextlib.suppress(lab.BracketError):  # the symbol is delisted
            bracket = lab.order_bracket(
                api.symbol(step["symbol"]),
                step["amount"],
                stop_distance=step["stop_distance"],
                take_distance=step["take_distance"],
            )
            self.brackets.append(bracket)

    def move_stop(self, step):
        if self.brackets:
            bracket = self.brackets[step["which"] % len(self.brackets)]
            level = bracket.stop_level or bracket.take_level or 10.0
            with contextlib.suppress(lab.BracketError):  # not open
                bracket.move_stop(level * step["factor"])

    def close(self, step):
        if self.brackets:
            self.brackets[step["which"] % len(self.brackets)].close()


def today():
    """The label of the bar."""
    if api.get_environment("data_frequency") == "minute":
        return int(api.get_datetime().timestamp())
    # The clock stands at the session's end, which can be the next day.
    calendar = get_algo_instance().trading_calendar
    return int(calendar.minute_to_session(api.get_datetime()).timestamp())


def run(scenario, folder):
    """Build the scenario's data and run its script."""
    source, target = folder / "in", folder / "out"
    source.mkdir()
    target.mkdir()
    for name, text in scenario["files"].items():
        (source / name).write_text(text)
    build_tiers(source, target)
    notes, player = Notes(), Player(scenario["script"])
    algorithm = TrialAlgorithm(
        pb.RunTrial(trial_id="t", **scenario["request"]),
        open_tier(target / "train"),
        notes,
        {
            "initialize": player.initialize,
            "handle_data": player.handle_data,
            "before_trading_start": player.before_trading_start,
        },
    )
    leverage = []
    with contextlib.suppress(AccountControlViolation):  # then fewer bars are reported
        leverage.extend(
            float(algorithm.account.leverage)
            for packet in algorithm.get_generator()
            if "daily_perf" in packet
        )
    return {
        "log": notes.entries,
        "fills": notes.fills,
        "equity": notes.points,
        "leverage": leverage,
        "refused": player.refused,
        "stopped_at": int(algorithm.get_datetime().timestamp()),
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
