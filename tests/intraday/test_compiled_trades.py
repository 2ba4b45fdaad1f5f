"""Compiled contracts over intraday bars under real zipline against the direct simulation."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from tests.contract.random_contracts import random_contract
from tests.contract.reference import Market, simulate
from tests.contract.rule_reference import Clock
from tests.contract.worlds import random_market
from tests.intraday.sandboxed import job, run_jobs
from tests.intraday.worlds import bar_ends, built, table

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import Tier, TierRange
from stratlab.generation import load_templates
from stratlab.market_data.calendars import minutes_of, sessions_between
from stratlab.market_data.content import PRICE_FIELDS, canonical

START = date(2003, 8, 4)
# Bars before the window: fewer than any strategy reads at its start, so that both sides read all.
WARM_UP_BARS = 210
# Calendar, timeframe and number of sessions: some 900 bars each.
WORLDS = {
    "exchange": ("XNYS", "1h", 130),
    "coins": ("24/7", "2h", 75),
    "currencies": ("24/5", "4h", 150),
}
LONGER = {
    "exchange": ("2h", "3h", "1d", "1w"),
    "coins": ("6h", "1d", "3d", "1M"),
    "currencies": ("8h", "2d", "1w"),
}


def hourly_world(name, home):
    """Two symbols, of which the second lists later and on the exchange has splits."""
    calendar, timeframe, count = WORLDS[name]
    days = sessions_between(calendar, START, START + timedelta(days=2 * count))[:count]
    ends = [bar_ends(calendar, timeframe, day) for day in days]
    labels = ends[0].append(ends[1:])
    starts = np.cumsum([0, *map(len, ends[:-1])])
    first = int(starts[count // 5])
    markets = {
        "AAA": random_market(5, len(labels), is_adjusted=False),
        "BBB": random_market(6, len(labels), first=first, is_adjusted=False),
    }
    splits = []
    if calendar == "XNYS":
        for session, ratio in ((60, 0.5), (95, 2.0)):
            split(markets["BBB"], int(starts[session]), ratio)
            splits.append(("BBB", days[session], ratio))
    rows = []
    for symbol, market in markets.items():
        bars = market.bars
        # A bar without volume is none.
        bars[~(bars[:, 4] > 0)] = np.nan
        frame = pd.DataFrame(bars, columns=[*PRICE_FIELDS, "volume"])
        rows.append(frame.assign(symbol=symbol, label=labels[market.first :]).dropna())
    content = canonical(
        calendar=calendar,
        timeframe=timeframe,
        prices=pd.concat(rows),
        splits=table(["symbol", "session", "ratio"], splits, set(days)),
        dividends=table(["symbol", "ex_session", "pay_session", "amount"], [], set()),
        tiers={Tier.TRAIN: TierRange(days[30].date(), days[-1].date())},
    )
    begin = int(starts[next(n for n, row in enumerate(starts) if row >= WARM_UP_BARS)])
    window = (days[int(np.searchsorted(starts, begin))].date(), days[-1].date())
    _, files = built(home, content)
    clock = Clock(
        [day.date() for day, of_day in zip(days, ends, strict=True) for _ in of_day],
        minutes_of(calendar, labels).tolist(),
        7 if calendar == "24/7" else 5,
    )
    return files, markets, labels, begin, window, clock


def split(market: Market, row: int, ratio: float):
    """Let the symbol split at the first bar of a session."""
    at = row - market.first
    market.bars[at:, :4] = np.round(market.bars[at:, :4] * ratio * 1000) * 0.001
    market.splits[row] = ratio


@pytest.mark.docker
@pytest.mark.load
def test_compiled_contracts_trade_intraday_bars_as_simulated(tmp_path, full_size):
    worlds = {name: hourly_world(name, tmp_path / name) for name in WORLDS}
    count = 60 if full_size else 3
    contracts = [random_contract(seed) for seed in range(count)]
    jobs, expected = [], []
    for name, (_, markets, labels, begin, window, clock) in worlds.items():
        templates = load_templates().values() if name == "exchange" or full_size else ()
        timeframe = WORLDS[name][1]
        longer = [random_contract(seed, timeframe, LONGER[name]) for seed in range(count)]
        for contract in (*templates, *contracts, *longer):
            source, values = compile_to_zipline(contract), contract.parameters
            jobs.append(job(name, source, list(markets), window, parameters=values))
            traded = (begin, len(labels) - 1)
            simulated = simulate(contract, values, markets, traded, 100_000.0, clock)
            bars = labels.astype("datetime64[s]").astype("int64").tolist()
            expected.append(sorted((bars[row], *fill) for row, *fill in simulated))
    io = tmp_path / "io"
    io.mkdir()
    results = run_jobs({name: world[0] for name, world in worlds.items()}, jobs, io)
    for found, simulated in zip(results, expected, strict=True):
        assert found["error"] == ""
        fills = sorted(map(tuple, found["fills"]))
        assert [fill[:3] for fill in fills] == [fill[:3] for fill in simulated]
        prices = np.array([fill[3] for fill in fills])
        np.testing.assert_allclose(prices, [fill[3] for fill in simulated], rtol=1e-9)
    assert sum(map(len, expected)) > 400
