"""Random scripts on random markets do the same on both engines, in trials as the product runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from actions import MINUTE_LOOKS, Action, Script, actions
from hypothesis import given
from hypothesis import strategies as st
from markets import SYMBOLS, Market, markets
from opening import open_market
from runs import difference, request, run, temporary
from sizes import fuzz

from stratlab_runner.fast.tally import Tally

COSTS = st.sampled_from(["next_open", "zipline"])
LENGTHS = st.sampled_from([15, 60, 240])
MOST_FALLBACKS = 0.01
# Ours alone asks for a field that is none; zipline answers it, with NaN.
DELIBERATE = "wrong_field"


def compare(market: Market, script: Sequence[Action], costs: str) -> Tally:
    symbols = SYMBOLS[: len(market.lives)]
    with temporary() as folder:
        tier = open_market(market, Path(folder))
        asked = request(tier, symbols, cost_model=costs)
        stock, fast = (
            run(asked, tier, lambda: Script(script, symbols, []), engine)
            for engine in ("stock", "fast")
        )
    assert difference(stock, fast) == ""
    assert fast.tally is not None
    return fast.tally


@fuzz(20)
@given(markets(), actions(), COSTS)
def test_script_on_daily_market_does_the_same(
    market: Market, script: list[Action], costs: str
) -> None:
    compare(market, script, costs)


@pytest.mark.parametrize("calendar", ["CMES", "24/5", "24/7"])
@fuzz(4)
@given(data=st.data())
def test_script_on_another_calendar_does_the_same(calendar: str, data: st.DataObject) -> None:
    compare(data.draw(markets(calendar)), data.draw(actions()), data.draw(COSTS))


@pytest.mark.parametrize("calendar", ["XNYS", "CMES", "24/5", "24/7"])
@fuzz(4)
@given(data=st.data())
def test_script_on_intraday_market_does_the_same(calendar: str, data: st.DataObject) -> None:
    market = data.draw(markets(calendar, data.draw(LENGTHS)))
    compare(market, data.draw(actions(*MINUTE_LOOKS)), data.draw(COSTS))


def test_few_calls_of_random_scripts_fall_back() -> None:
    seen: list[tuple[int, int]] = []

    @fuzz(10)
    @given(markets(), actions(), COSTS)
    def look(market: Market, script: list[Action], costs: str) -> None:
        plain = [action for action in script if action.name != DELIBERATE]
        tally = compare(market, plain, costs)
        seen.append((tally.calls, tally.fallbacks.total()))

    look()
    assert sum(fallen for _, fallen in seen) <= MOST_FALLBACKS * sum(calls for calls, _ in seen)
