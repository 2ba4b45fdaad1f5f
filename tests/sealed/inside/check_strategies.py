"""Whole strategies do the same sealed: own algorithms, zipline's examples, contracts.

``/data`` is a tier's mount, ``/sources`` holds strategies of ours, one file each. The tier has
splits, dividends, a late listing, a delisting, and a symbol that trades thinly.
"""

import contextlib
import io
import os
import sys
import types
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from revealing import Result, difference, run, sealed_tier
from runs import request
from sizes import IS_FULL
from zipline import examples

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.tier_data import TierData, open_tier

TIER = Path(os.environ.get("STRATLAB_TIER", "/data"))
SOURCES = Path(os.environ.get("STRATLAB_SOURCES", "/sources"))
EXAMPLES = (
    "buyapple",
    "buy_and_hold",
    "dual_moving_average",
    "dual_ema_talib",
    "momentum_pipeline",
    "olmar",
)
OWN = {path.stem: path.read_text() for path in sorted(SOURCES.glob("*.py"))}
ALL = OWN | {name: files(examples).joinpath(f"{name}.py").read_text() for name in EXAMPLES}
FUNCTIONS = ("initialize", "handle_data", "before_trading_start")
# A year around the late listing; the whole tier, with the delisting, at full size.
WINDOW = ("2008-08-01", "2010-12-31" if IS_FULL else "2009-06-30")


@pytest.fixture(scope="module")
def tier() -> TierData:
    return open_tier(TIER)


def request_of(tier: TierData, costs: str) -> pb.RunTrial:
    finder = tier.asset_finder
    symbols = sorted(asset.symbol for asset in finder.retrieve_all(finder.equities_sids))
    start, end = WINDOW
    return request(tier, symbols, cost_model=costs, capital=1_000_000, start=start, end=end)


def functions_of(source: str) -> dict[str, Any]:
    module = types.ModuleType("strategy")
    sys.modules["strategy"] = module
    exec(compile(source, "strategy", "exec"), module.__dict__)  # noqa: S102 - the test's own text
    return {name: getattr(module, name) for name in FUNCTIONS if hasattr(module, name)}


def both(source: str, tier: TierData, asked: pb.RunTrial) -> tuple[Result, Result]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        batch = run(asked, tier, functions_of(source))
    again = io.StringIO()
    with (
        contextlib.redirect_stdout(again),
        sealed_tier(tier, asked, lambda *_: tier.calendar) as (revealed, player),
    ):
        replay = run(asked, revealed, functions_of(source), player)
    assert printed.getvalue() == again.getvalue()
    return batch, replay


# Our algorithms are written for zipline's costs, the templates for ours.
PAIRS = [
    (name, costs)
    for name in sorted(ALL)
    for costs in ("next_open", "zipline")
    if IS_FULL or name.startswith("template_") == (costs == "next_open")
]


@pytest.mark.parametrize(("name", "costs"), PAIRS)
def test_strategy_does_the_same_sealed(name: str, costs: str, tier: TierData) -> None:
    batch, replay = both(ALL[name], tier, request_of(tier, costs))
    assert difference(batch, replay) == ""
