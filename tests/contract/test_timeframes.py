"""Timeframes: which are longer than which, where a period begins, and what its bar holds."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.rule_reference import Clock

from stratlab.contract import periods
from stratlab.contract.streaming import Bar
from stratlab.contract.timeframes import (
    canonical_timeframe,
    longer_problem,
    panel_periods,
    parse_timeframe,
    period_of,
)
from stratlab.domain.market import PricePanel

EPOCH = date(1970, 1, 1)
DAYS = st.integers(-3000, 40_000)


def _day(day: date) -> int:
    return (day - EPOCH).days


@pytest.mark.parametrize(
    ("text", "spelling"),
    [("60m", "1h"), ("240m", "4h"), ("90m", "90m"), ("24h", "24h"), ("1d", "1d"), ("12M", "12M")],
)
def test_timeframe_has_one_spelling(text: str, spelling: str) -> None:
    assert canonical_timeframe(text) == spelling
    assert canonical_timeframe(spelling) == spelling


@pytest.mark.parametrize(
    "text", ["0d", "1y", "d", "1.5h", "25h", "999h", "1D", "1d\n", "1000d", ""]
)
def test_timeframe_of_another_form_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no timeframe|longer than a day"):
        parse_timeframe(text)


@pytest.mark.parametrize(
    ("base", "longer"),
    [("1m", "5m"), ("15m", "90m"), ("1h", "1d"), ("4h", "1M"), ("1d", "2d"), ("1d", "1w")],
)
def test_multiple_of_base_is_longer(base: str, longer: str) -> None:
    assert longer_problem(longer, [base]) == ""
    assert longer_problem(base, [longer])


@pytest.mark.parametrize(
    ("base", "longer"),
    [("1h", "90m"), ("1d", "4h"), ("1d", "1d"), ("1h", "60m"), ("2d", "1w"), ("1w", "1M")],
)
def test_no_multiple_of_base_is_a_problem(base: str, longer: str) -> None:
    assert longer_problem(longer, [base])
    # Of several timeframes of a strategy, one that does not fit is enough.
    assert longer_problem(longer, ["1m", base])


def test_periods_begin_where_people_expect() -> None:
    monday, sunday = _day(date(2024, 1, 1)), _day(date(2023, 12, 31))
    weekly, monthly = parse_timeframe("1w"), parse_timeframe("1M")
    assert period_of(weekly, monday, 0, 5) == period_of(weekly, sunday, 0, 5) + 1
    assert period_of(monthly, monday, 0, 5) == 2024 * 12
    assert period_of(parse_timeframe("3M"), monday, 0, 5) == 2024 * 4
    # Five trading days make a week where weeks have five.
    five, week = parse_timeframe("5d"), range(monday, monday + 7)
    assert len({period_of(five, day, 0, 5) for day in week}) == 1
    assert len({period_of(five, day, 0, 7) for day in week}) == 2
    # The first bar of an hour ends at its last minute.
    hourly = parse_timeframe("1h")
    ends = [period_of(hourly, monday, minute, 5) for minute in (1, 60, 61, 390)]
    assert [end - ends[0] for end in ends] == [0, 0, 1, 6]


@given(
    st.lists(DAYS, min_size=2, max_size=40), st.sampled_from(["2d", "3d", "1w", "2w", "1M", "3M"])
)
def test_periods_of_days_are_those_of_the_calendar(days: list[int], timeframe: str) -> None:
    for week in (5, 7):
        # A calendar with five days a week has no sessions on the other two.
        sessions = sorted(day for day in days if (day + 3) % 7 < week)
        clock = Clock([EPOCH + timedelta(day) for day in sessions], [], week)
        found = [period_of(parse_timeframe(timeframe), day, 0, week) for day in sessions]
        expected = [clock.period(row, timeframe) for row in range(len(sessions))]
        assert found == sorted(found)
        for first in range(len(sessions) - 1):
            assert (found[first] == found[first + 1]) == (expected[first] == expected[first + 1])


@given(st.lists(st.tuples(DAYS, st.integers(1, 1440)), min_size=1, max_size=30))
def test_periods_of_a_panel_are_those_of_its_bars(bars: list[tuple[int, int]]) -> None:
    sessions = np.array([day for day, _ in bars]) * 86_400
    minutes = np.array([minute for _, minute in bars])
    nothing = np.zeros((len(bars), 0))
    for per_year, week in ((252, 5), (365, 7)):
        panel = PricePanel(
            bars=sessions + minutes * 60,
            symbols=(),
            open=nothing,
            high=nothing,
            low=nothing,
            close=nothing,
            volume=nothing,
            intraday_sessions=sessions,
            intraday_minutes=minutes,
            sessions_per_year=per_year,
        )
        for name in ("90m", "4h", "1d", "3d", "2w", "1M"):
            found = panel_periods(panel, name).tolist()
            longer = parse_timeframe(name)
            assert found == [period_of(longer, day, minute, week) for day, minute in bars]


def test_daily_panel_has_no_bars_inside_a_session() -> None:
    nothing = np.zeros((2, 0))
    panel = PricePanel(np.array([0, 86_400]), (), nothing, nothing, nothing, nothing, nothing)
    assert panel_periods(panel, "1w").tolist() == [0, 0]
    with pytest.raises(ValueError, match="whole sessions make no bars of 4h"):
        panel_periods(panel, "4h")


def test_longer_bar_joins_whole_periods_and_appears_with_the_next_one() -> None:
    bars = periods.LongerBars()
    fed = [
        (1, Bar(5, 9, 4, 8, 10)),  # a part: nobody knows what came before
        (2, Bar(8, 12, 7, 11, 20)),
        (2, Bar(11, 13, 6, 7, 30)),
        (2, Bar(7, 8, 7, 7.5, 1)),
        (5, Bar(1, 1, 1, 1, 1)),
        (5, Bar(2, 3, 0.5, 2.5, 1)),
        (6, Bar(9, 9, 9, 9, 9)),
    ]
    ended = [bars.add(period, bar) for period, bar in fed]
    assert ended == [None, None, None, None, Bar(8, 13, 6, 7.5, 51), None, Bar(1, 3, 0.5, 2.5, 2)]
    assert bars.count == 2


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60))
def test_longer_bars_lose_and_invent_nothing(steps: list[int]) -> None:
    rows = sorted(steps)
    bars, ended = periods.LongerBars(), []
    for row in rows:
        price = float(row + 1)
        bar = bars.add(row // 5, Bar(price, price + 1, price - 1, price, 1.0))
        if bar is not None:
            ended.append(bar)
    whole = list(dict.fromkeys(row // 5 for row in rows))[1:-1]
    assert len(ended) == len(whole) == bars.count
    assert math.fsum(bar.volume for bar in ended) == sum(row // 5 in whole for row in rows)
