"""What a strategy sees of intraday bars on each calendar: when it is called, and with what."""

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.markets import WARM_UP
from tests.intraday.sandboxed import job, run_jobs
from tests.intraday.worlds import bar_ends, random_world

CALENDARS = ("XNYS", "CMES", "24/5", "24/7")
SYMBOLS = ("AAA", "BBB", "CCC")

NOTING = """
from stratlab_runner import lab
from zipline.api import (attach_pipeline, date_rules, get_datetime, pipeline_output,
                         schedule_function, symbol, time_rules)
from zipline.pipeline import Pipeline
from zipline.pipeline.data import EquityPricing

def now():
    return int(get_datetime().timestamp())

def initialize(context):
    context.asset = symbol("AAA")
    for name in ("2h", "4h", "1d"):
        lab.on_bar(name, lambda context, data, name=name: NOTES.append([name, now()]))
    try:
        lab.on_bar("30m", print)
    except lab.TimeframeError as error:
        NOTES.append(["refused", str(error)])
    every, rules = date_rules.every_day(), time_rules
    for name, date_rule, time_rule in (
        ("open", every, rules.market_open()),
        ("close", every, rules.market_close()),
        ("late", every, rules.market_open(hours=1, minutes=30)),
        ("default", None, None),
        ("week", date_rules.week_start(), rules.market_open()),
    ):
        schedule_function(
            lambda context, data, name=name: NOTES.append([name, now()]), date_rule, time_rule
        )
    attach_pipeline(Pipeline({"close": EquityPricing.close.latest}), "closes")

def before_trading_start(context, data):
    assets = list(pipeline_output("closes").index)
    NOTES.append(["before", now(), data.current(context.asset, "price"), len(assets)])

def handle_data(context, data):
    day = str(data.current_session.date())
    closes = data.history(context.asset, "close", 3, "1d").tolist()
    latest = pipeline_output("closes")["close"]
    known = float(latest[context.asset]) if context.asset in latest.index else None
    NOTES.append(["bar", now(), day, context.timeframe, closes[-2:], known])
    if now() % 7 == 0:
        bars = lab.session_bars(data, context.asset, ("open", "close"), 2)
        NOTES.append(["bars", now(), [list(bar) for bar in bars]])
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """World and result of the noting strategy for each calendar."""
    folder = tmp_path_factory.mktemp("seen")
    worlds = {
        name.replace("/", ""): random_world(
            np.random.default_rng(number), folder / f"home{number}", name, "1h"
        )
        for number, name in enumerate(CALENDARS)
    }
    jobs = [
        job(name, NOTING, SYMBOLS, (world.days[WARM_UP], world.days[-1]))
        for name, world in worlds.items()
    ]
    (folder / "io").mkdir()
    results = run_jobs({name: world.files for name, world in worlds.items()}, jobs, folder / "io")
    assert [result["error"] for result in results] == [""] * len(jobs)
    return dict(zip(CALENDARS, zip(worlds.values(), results, strict=True), strict=True))


def notes(result, kind):
    return [note[1:] for note in result["notes"] if note[0] == kind]


def traded(world):
    """Rows of the window by session."""
    sessions = world.panel.sessions
    rows = np.arange(world.start, len(sessions))
    return {int(day): rows[sessions[rows] == day] for day in np.unique(sessions[rows])}


def slots(world, day):
    """Ends of all bars that the session could have, epoch seconds."""
    moments = bar_ends(world.calendar, "1h", pd.Timestamp(day, unit="s"))
    return moments.astype("datetime64[s]").astype("int64").tolist()


pytestmark = [pytest.mark.docker, pytest.mark.parametrize("calendar", CALENDARS)]


def test_strategy_is_called_at_every_bar_of_the_data_and_never_else(seen, calendar):
    world, result = seen[calendar]
    bars = notes(result, "bar")
    assert [bar[0] for bar in bars] == world.panel.bars[world.start :].tolist()
    sessions = [int(pd.Timestamp(bar[1]).timestamp()) for bar in bars]
    assert sessions == world.panel.sessions[world.start :].tolist()
    assert {bar[2] for bar in bars} == {"1h"}


def test_equity_is_reported_at_the_last_bar_of_each_session(seen, calendar):
    world, result = seen[calendar]
    ends = [int(world.panel.bars[rows[-1]]) for rows in traded(world).values()]
    assert [point[0] for point in result["equity"]] == ends
    assert result["equity"][-1][2] == 1.0


@pytest.mark.parametrize(("name", "hours"), [("2h", 2), ("4h", 4), ("1d", 24)])
def test_on_bar_is_called_at_the_first_bar_from_the_end_of_a_longer_one(
    seen, calendar, name, hours
):
    world, result = seen[calendar]
    bars = world.panel.bars[world.start :]
    expected = set()
    for day in traded(world):
        grid = slots(world, day)
        for group in (grid[at : at + hours] for at in range(0, len(grid), hours)):
            if np.isin(group, bars).any():
                # The bar at its end, or else the next one there is.
                expected |= set(bars[bars >= group[-1]][:1].tolist())
    assert [note[0] for note in notes(result, name)] == sorted(expected)


def test_on_bar_refuses_what_the_data_cannot_make(seen, calendar):
    ((message,),) = notes(seen[calendar][1], "refused")
    assert message == "bars of 1h make no bars of '30m'; choose one of 1h, 2h, 4h, 1d"


def test_times_of_the_day_mean_the_first_bar_from_then_on(seen, calendar):
    """Also where clocks have changed, and on days that end early."""
    world, result = seen[calendar]
    first, last, late = [], [], []
    for day, rows in traded(world).items():
        bars, grid = world.panel.bars[rows].tolist(), slots(world, day)
        first.append(bars[0])
        last += [bar for bar in bars if bar == grid[-1]]
        # An hour and a half after the open: the second hour's end is the first from there on.
        late += [bar for bar in bars if bar >= grid[1] or bar == grid[-1]][:1]
    for name, expected in (("open", first), ("default", first), ("close", last), ("late", late)):
        assert [note[0] for note in notes(result, name)] == expected, name
    weeks = [note[0] for note in notes(result, "week")]
    assert set(weeks) < set(first)
    assert 5 <= len(weeks) <= 11


def test_before_trading_start_knows_nothing_of_its_session(seen, calendar):
    world, result = seen[calendar]
    panel = world.panel
    closes = pd.Series(panel.close[:, 0]).ffill()
    found = notes(result, "before")
    assert len(found) == len(traded(world))
    for (moment, price, assets), (day, rows) in zip(found, traded(world).items(), strict=True):
        assert moment < panel.bars[rows[0]]
        assert assets >= 1
        # The last bar before it, adjusted for what happens at its session's start.
        last = closes[rows[0] - 1]
        for item in panel.splits:
            if item.symbol == "AAA" and item.bar == panel.bars[rows[0]]:
                last *= item.ratio
        changed = any(
            d.symbol == "AAA" and d.ex_bar == panel.bars[rows[0]] for d in panel.dividends
        )
        assert price == pytest.approx(last, rel=0.1 if changed else 1e-9), pd.Timestamp(
            day, unit="s"
        )


def test_daily_history_and_pipelines_end_where_the_session_stands(seen, calendar):
    """A pipeline's row holds the session before; history's last day is the day so far."""
    world, result = seen[calendar]
    panel = world.panel
    acted = {panel.bars.searchsorted(item.bar) for item in panel.splits if item.symbol == "AAA"}
    acted |= {panel.bars.searchsorted(d.ex_bar) for d in panel.dividends if d.symbol == "AAA"}
    whole = pd.Series(panel.close[:, 0]).groupby(panel.sessions).last()
    compared = 0
    for moment, day, _, closes, known in notes(result, "bar"):
        row = int(panel.bars.searchsorted(moment))
        session = int(pd.Timestamp(day).timestamp())
        so_far = panel.close[(panel.sessions == session) & (panel.bars <= moment), 0]
        so_far = so_far[~np.isnan(so_far)]
        if len(so_far):
            assert closes[-1] == pytest.approx(so_far[-1], rel=1e-12)
        first = int(panel.sessions.searchsorted(session))
        before = whole[whole.index < session].iloc[-1]
        if first not in acted and not np.isnan(before):
            assert closes[-2] == pytest.approx(before, rel=1e-12), (row, day)
            assert known == pytest.approx(before, rel=1e-12), (row, day)
            compared += 1
    assert compared > 100


def test_session_bars_are_those_of_the_panel(seen, calendar):
    world, result = seen[calendar]
    panel = world.panel
    found = notes(result, "bars")
    assert found
    for moment, bars in found:
        row = int(panel.bars.searchsorted(moment))
        session = int(panel.sessions[row])
        calendar_days = [int(pd.Timestamp(day).timestamp()) for day in world.days]
        before = calendar_days[calendar_days.index(session) - 1]
        wanted = np.isin(panel.sessions, [before, session]) & (panel.bars <= moment)
        wanted &= ~np.isnan(panel.close[:, 0])
        assert len(bars) == wanted.sum()
        if calendar != "XNYS":  # without adjustments
            expected = np.column_stack([panel.open[wanted, 0], panel.close[wanted, 0]])
            np.testing.assert_allclose(bars, expected, rtol=1e-12)
