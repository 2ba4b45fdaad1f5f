"""Random scripts on random markets do the same sealed, and see the same."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import opening
import pandas as pd
import pytest
from actions import Action, Script, actions
from hypothesis import given
from hypothesis import strategies as st
from markets import FIRST, SYMBOLS, Life, Market, _bars, _days, markets
from revealing import difference, run, sealed_tier
from runs import request, temporary
from sizes import fuzz

from stratlab_runner.build_tiers import Tables, build_tier
from stratlab_runner.tier_data import TierData

UNBORN = re.compile(r"as it started trading on \S+ \S+")
COSTS = st.sampled_from(["next_open", "zipline"])


def open_product(market: Market, folder: Path) -> TierData:
    """Write a market by the product's own job, and open it."""
    calendar = opening.calendar(market.calendar)
    sessions = calendar.sessions_window(calendar.date_to_session(FIRST, "next"), market.sessions)
    generator = np.random.default_rng(market.seed)
    prices, splits, dividends = [], [], []
    for symbol, life in zip(SYMBOLS, market.lives, strict=False):
        days = _days(life, sessions)
        bars = _bars(life, days, generator, always=1)
        bars.iloc[-1] = bars.iloc[0]
        bars = bars[bars["volume"] > 0]
        prices.append(bars.rename_axis("session").reset_index().assign(symbol=symbol))
        splits += [(symbol, sessions[at], ratio) for at, ratio in dict(life.splits).items()]
        dividends += [
            (symbol, sessions[at], _paid(sessions, at + later), amount)
            for at, amount, later in life.dividends
        ]
    tables = Tables(
        pd.concat(prices, ignore_index=True),
        _table(splits, ("symbol", "session", "ratio")),
        _table(dividends, ("symbol", "ex_session", "pay_session", "amount")),
    )
    sids = {symbol: sid for sid, symbol in enumerate(SYMBOLS[: len(market.lives)])}
    build_tier(folder, tables, sids, sessions, calendar)
    (folder / "tier.json").write_text(
        f'{{"data_set": "fuzz", "tier": "train", "calendar": "{market.calendar}",'
        f'"first_session": "{sessions[0].date()}", "last_session": "{sessions[-1].date()}",'
        '"digest": "", "timeframe": "1d"}'
    )
    return opening.open_folder(folder)


def _paid(sessions: pd.DatetimeIndex, at: int) -> pd.Timestamp:
    return sessions[at] if at < len(sessions) else pd.NaT


def _table(rows: Sequence[tuple[object, ...]], names: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(names))
    dates = [name for name in names if name.endswith("session")]
    return frame.astype(dict.fromkeys(dates, "datetime64[ns]")).sort_values(list(names[:2]))


def _without_first_days(seen: tuple[object, ...]) -> tuple[object, ...]:
    # Zipline refuses to order what does not trade yet, and says when it will.
    return (*seen[:-1], UNBORN.sub("", str(seen[-1])))


def _plain(life: Life) -> Life:
    return dataclasses.replace(life, mergers=(), stock_dividends=(), odd_hours=False)


def compare(market: Market, script: Sequence[Action], costs: str, begin: int) -> None:
    market = dataclasses.replace(market, lives=tuple(map(_plain, market.lives)))
    symbols = SYMBOLS[: len(market.lives)]
    with temporary() as folder:
        tier = open_product(market, Path(folder))
        traded = tier.day_bars.sessions[min(begin, market.sessions - 2) :]
        start = str(traded[0].date())
        asked = request(tier, symbols, cost_model=costs, start=start)
        mine, theirs = Script(script, symbols, []), Script(script, symbols, [])
        batch = run(asked, tier, theirs.functions())
        with sealed_tier(tier, asked) as (revealed, player):
            replay = run(asked, revealed, mine.functions(), player)
    for seen, expected in zip(mine.trace, theirs.trace, strict=False):
        assert _without_first_days(seen) == _without_first_days(expected)
    assert len(mine.trace) == len(theirs.trace)
    assert difference(batch, replay) == ""
    labels = [int(session.timestamp()) for session in traded]
    for stamp, entry in zip(replay.stamps, replay.log, strict=True):
        assert entry.bar == labels[max(0, stamp - 1)]


@fuzz(25)
@given(markets(), actions(), COSTS, st.sampled_from((0, 1, 9)))
def test_script_on_random_market_does_the_same_sealed(
    market: Market, script: list[Action], costs: str, begin: int
) -> None:
    compare(market, script, costs, begin)


@pytest.mark.parametrize("calendar", ["24/5", "24/7"])
@fuzz(4)
@given(data=st.data())
def test_script_on_another_calendar_does_the_same_sealed(
    calendar: str, data: st.DataObject
) -> None:
    # Where sessions end at midnight, zipline shows NaN for the volume of an asset in the session
    # before its first one, and 0 earlier: nobody can know that in a replay.
    market = data.draw(markets(calendar))
    lives = tuple(dataclasses.replace(life, listed=0) for life in market.lives)
    market = dataclasses.replace(market, lives=lives)
    compare(market, data.draw(actions()), data.draw(COSTS), 0)
