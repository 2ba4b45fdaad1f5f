"""Bar labels that the frame validator lets pass."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from tests.evaluation.hand_made import COSTLY, flat, panel, spec

from stratlab.domain.market import MarketSet, Tier, Window
from stratlab.sandbox.entries import FrameViolationError, TrialRecord


def record(timeframe):
    trial = replace(
        spec(panel({"AAA": flat(10.0, 11.0)}), COSTLY),
        market=MarketSet("data", ("AAA",), timeframe),
        window=Window(Tier.TRAIN, date(2005, 5, 2), date(2005, 5, 6)),
    )
    return TrialRecord.of(trial)


def epoch(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp())


INSIDE = [epoch(2005, 5, 2), epoch(2005, 5, 6)]
# Sessions that begin on the evening before their day, and that end at the next midnight.
AROUND = [epoch(2005, 5, 1, 23), epoch(2005, 5, 7)]
OUTSIDE = [epoch(2005, 4, 30, 23), epoch(2005, 5, 7, 0, 1)]


def test_labels_of_sessions_around_the_clock_pass_in_intraday_data_only():
    for bar in INSIDE:
        record("1d").check_bar(bar)
    for bar in (*INSIDE, *AROUND):
        record("1h").check_bar(bar)
    for timeframe, bars in (("1d", [*AROUND, *OUTSIDE]), ("1h", OUTSIDE)):
        for bar in bars:
            with pytest.raises(FrameViolationError):
                record(timeframe).check_bar(bar)
