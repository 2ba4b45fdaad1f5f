"""Whole strategies do the same on both engines: own algorithms, zipline's examples, contracts.

``/data`` is a tier's mount, ``/sources`` holds strategies of ours, one file each.
"""

import contextlib
import io
import os
import sys
import types
from importlib.resources import files
from pathlib import Path

import pytest
from runs import Run, difference, request, run_functions
from sizes import IS_FULL
from zipline import examples

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
MOST_FALLBACKS = 0.01


@pytest.fixture(scope="module")
def tier() -> TierData:
    return open_tier(TIER)


def run(source: str, tier: TierData, costs: str, engine: str) -> Run:
    module = types.ModuleType("strategy")
    sys.modules["strategy"] = module
    exec(compile(source, "strategy", "exec"), module.__dict__)  # noqa: S102 - the test's own text
    functions = {name: getattr(module, name) for name in FUNCTIONS if hasattr(module, name)}
    symbols = sorted(asset.symbol for asset in _assets(tier))
    start = "2008-07-01" if tier.first_session.year == 2008 else str(tier.first_session.date())
    asked = request(tier, symbols, cost_model=costs, capital=1_000_000, start=start)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        recorded, frames, error, tally = run_functions(asked, tier, functions, engine)
    return Run([*recorded, printed.getvalue()], frames, error, tally)


def _assets(tier: TierData) -> list[object]:
    return tier.asset_finder.retrieve_all(tier.asset_finder.equities_sids)


# Our algorithms are written for zipline's costs, the templates for ours.
PAIRS = [
    (name, costs)
    for name in sorted(ALL)
    for costs in ("next_open", "zipline")
    if IS_FULL or name in EXAMPLES or name.startswith("template_") == (costs == "next_open")
]


@pytest.mark.parametrize(("name", "costs"), PAIRS)
def test_strategy_does_the_same_on_both_engines(name: str, costs: str, tier: TierData) -> None:
    stock, fast = (run(ALL[name], tier, costs, engine) for engine in ("stock", "fast"))
    assert difference(stock, fast) == ""
    assert fast.tally is not None
    assert fast.tally.share <= MOST_FALLBACKS, fast.tally.fallbacks
