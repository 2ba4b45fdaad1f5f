"""The host and the image must agree on what a session is."""

import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.calendars import sessions_between

ROOT = Path(__file__).parents[3]


def test_host_and_image_have_the_same_calendars() -> None:
    lock = (ROOT / "sandbox_image" / "requirements.txt").read_text()
    (pinned,) = re.findall(r"^exchange-calendars==(\S+)", lock, re.MULTILINE)
    assert version("exchange-calendars") == pinned


def test_sessions_leave_out_weekends_and_holidays() -> None:
    found = sessions_between("XNYS", date(2001, 9, 7), date(2001, 9, 18))
    # Four days without trading after the attacks.
    assert [str(day.date()) for day in found] == [
        "2001-09-07",
        "2001-09-10",
        "2001-09-17",
        "2001-09-18",
    ]


def test_far_future_and_unknown_calendar_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="not supported"):
        sessions_between("XMARS", date(2001, 1, 1), date(2001, 2, 1))
    with pytest.raises(InvalidInputError, match="does not reach"):
        sessions_between("XNYS", date(2001, 1, 1), date(2300, 2, 1))
