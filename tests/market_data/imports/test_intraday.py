"""Files of bars inside a session: times, zones, sessions, actions and volumes."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Tier
from stratlab.market_data.imports.corporate import ActionSource
from stratlab.market_data.imports.files import FileFormat
from stratlab.market_data.imports.importer import ImportOptions, inspect_files
from stratlab.market_data.imports.intraday import Stamp
from stratlab.market_data.imports.tiers import parse_tiers

TIERS = parse_tiers("70/30", 0)


def hours(calendar="24/7", days=70, zone="UTC"):
    """Starts of hourly bars, in the zone's own time."""
    first = pd.Timestamp("2021-03-01")
    if calendar == "24/7":
        return pd.date_range(first, periods=24 * days, freq="h", tz="UTC").tz_convert(zone)
    # Without Good Friday and Memorial Day.
    sessions = pd.bdate_range(first, periods=days).drop(["2021-04-02", "2021-05-31"])
    opens = [day + timedelta(hours=9, minutes=30) for day in sessions]
    starts = [start + timedelta(hours=hour) for start in opens for hour in range(7)]
    return pd.DatetimeIndex(starts).tz_localize(zone)


def write(folder, times, form="%Y-%m-%d %H:%M:%S", name="COIN", volume=1000, start=50.0):
    """One file of a rising series."""
    close = start + 0.01 * np.arange(len(times))
    table = pd.DataFrame(
        {
            "time": times.strftime(form) if form else (times.asi8 // 10**9),
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": volume,
        }
    )
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False)
    return table


def inspect(folder, **changes):
    options = {"calendar": "24/7", "timeframe": "1h", "tiers": TIERS, **changes}
    return inspect_files(folder, FileFormat.AUTO, ImportOptions(**options))


def codes(report):
    return {finding.code for finding in report.findings}


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d %H%M%S", "%Y.%m.%d %H:%M", None],
)
def test_times_of_any_usual_form_are_the_same_moments(tmp_path, form):
    times = hours()
    write(tmp_path / "plain", times)
    write(tmp_path / "form", times, form)
    one, two = (inspect(tmp_path / name).require_content() for name in ("plain", "form"))
    assert one.digest() == two.digest()
    assert one.prices["label"].iloc[0] == pd.Timestamp("2021-03-01 01:00")
    assert one.prices["label"].iloc[23] == pd.Timestamp("2021-03-02 00:00")
    assert one.prices["session"].nunique() == 70


def test_start_and_end_of_a_bar_are_an_hour_apart(tmp_path):
    write(tmp_path, hours())
    start, end = (inspect(tmp_path, stamp=stamp).require_content() for stamp in Stamp)
    # The first time is the end of a bar that belongs to the day before.
    assert (start.prices["label"] - end.prices["label"] == pd.Timedelta(hours=1)).all()
    report = inspect(tmp_path, stamp=Stamp.END)
    assert "times are taken for the end of their bars" in " ".join(report.caveats)


def test_last_bar_of_the_exchange_ends_at_its_close_through_a_change_of_clocks(tmp_path):
    write(tmp_path, hours("XNYS", zone="America/New_York"), name="AAA")
    found = inspect(tmp_path, calendar="XNYS", zone="America/New_York").require_content().prices
    by_day = found.groupby("session")["label"].agg(["first", "last", "size"])
    assert set(by_day["size"]) == {7}
    winter, summer = by_day.loc["2021-03-12"], by_day.loc["2021-03-15"]
    assert winter["first"] == pd.Timestamp("2021-03-12 15:30")
    assert winter["last"] == pd.Timestamp("2021-03-12 21:00")
    assert summer["last"] == pd.Timestamp("2021-03-15 20:00")


def test_offset_in_a_cell_counts_more_than_the_zone(tmp_path):
    times = hours(zone="America/New_York")
    write(tmp_path / "offset", times, "%Y-%m-%dT%H:%M:%S%z")
    write(tmp_path / "plain", hours())
    offset = inspect(tmp_path / "offset", zone="Asia/Tokyo").require_content()
    assert offset.digest() == inspect(tmp_path / "plain").require_content().digest()


@pytest.mark.parametrize(
    ("cell", "zone"),
    [("soon", "UTC"), ("2021-03-14 02:30", "America/New_York"), ("", "UTC")],
)
def test_cell_that_is_no_moment_is_named(tmp_path, cell, zone):
    table = write(tmp_path, hours())
    table.loc[4, "time"] = cell
    table.to_csv(tmp_path / "COIN.csv", index=False)
    with pytest.raises(InvalidInputError, match=r"COIN\.csv, line 6, column 'time'"):
        inspect(tmp_path, zone=zone)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeframe": "3h"}, "timeframe '3h' is not supported"),
        ({"zone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"actions": ActionSource.ADJ_CLOSE}, "--actions adj-close needs daily bars"),
        ({"calendar": "XMARS"}, "calendar 'XMARS' is not supported"),
    ],
)
def test_option_that_cannot_be_refused(tmp_path, changes, message):
    write(tmp_path, hours())
    with pytest.raises(InvalidInputError, match=message):
        inspect(tmp_path, **changes)


def test_bars_off_the_grid_refuse_the_import_and_few_are_left_out(tmp_path):
    table = write(tmp_path, hours())
    table.loc[3, "time"] = "2021-03-01 03:07:00"
    table.to_csv(tmp_path / "COIN.csv", index=False)
    report = inspect(tmp_path)
    (finding,) = (f for f in report.findings if f.code == "out_of_calendar")
    assert finding.examples == ("2021-03-01 04:07 in COIN.csv, line 5",)
    assert report.rows == 24 * 70 - 1
    # Half an hour off: another timeframe or calendar than was said.
    write(tmp_path, hours() + pd.Timedelta(minutes=30))
    assert inspect(tmp_path).content is None


def test_volume_of_a_whole_session_is_scaled_to_fit(tmp_path):
    write(tmp_path, hours(), volume=10**9)
    report = inspect(tmp_path)
    content = report.require_content()
    assert content.scales["COIN"].volume == 0.1
    assert content.prices["volume"].max() == 10**8
    assert "scaled_volume" in codes(report)


def test_splits_of_the_exchange_come_from_files_and_others_are_refused(tmp_path):
    def write_halved(times):
        table = write(tmp_path, times, name="AAA")
        later = times >= pd.Timestamp("2021-04-20", tz=times.tz)
        table.loc[later, ["open", "high", "low", "close"]] /= 2
        table.to_csv(tmp_path / "AAA.csv", index=False)

    times = hours("XNYS", zone="America/New_York")
    write_halved(times)
    (tmp_path / "splits.csv").write_text("symbol,date,ratio\nAAA,2021-04-20,2\n")
    exchange = {"calendar": "XNYS", "zone": "America/New_York"}
    content = inspect(tmp_path, **exchange).require_content()
    assert content.splits[["symbol", "ratio"]].to_numpy().tolist() == [["AAA", 0.5]]
    assert content.splits["session"].iloc[0] == pd.Timestamp("2021-04-20")
    # The same split over prices that do not show it.
    write(tmp_path, times, name="AAA")
    assert "split_adjusted" in {
        f.code for f in inspect(tmp_path, **exchange).findings if f.severity == "hard"
    }
    write_halved(hours())
    with pytest.raises(InvalidInputError, match="calendar 24/7 cannot have splits"):
        inspect(tmp_path, actions=ActionSource.GIVEN)


def test_tiers_are_whole_sessions(tmp_path):
    write(tmp_path, hours())
    content = inspect(tmp_path).require_content()
    assert list(content.tiers) == [Tier.TRAIN, Tier.VALIDATION]
    json.dumps({tier: [str(span.start), str(span.end)] for tier, span in content.tiers.items()})
    assert content.tiers[Tier.VALIDATION].end == content.sessions[-1]
