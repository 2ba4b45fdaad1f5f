"""Checks rows of prices one after the other and keeps the bars that can be traded on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from stratlab.market_data.calendars import FIRST_DAY
from stratlab.market_data.content import PRICE_FIELDS
from stratlab.market_data.imports.findings import Findings, Severity

# What is assumed where a source knows no volume (indices, most currencies): it never binds.
ASSUMED_VOLUME = 1e9
# Above these fractions a calendar, a timeframe or a file is wrong, not a few of its rows.
MAX_OUTSIDE = 0.01
MAX_MISSING = 0.2
FEW = 5
# Rounding of the sources: a close may lie beyond a high that was rounded apart from it.
ROUNDING = 1e-4


@final
@dataclass(slots=True)
class Inspection:
    """Rows on their way to bars; every step drops or mends rows and says so.

    Attributes:
        rows: Columns symbol, session, open, high, low, close, volume, ..., file, row, and label
            where bars are intraday.
        findings: Where problems are told.
        line_of: How a user finds a row: file and number -> words.
        repair: Whether hard problems of single rows are mended instead.
    """

    rows: pd.DataFrame
    findings: Findings
    line_of: Callable[[str, int], str]
    repair: bool = False

    def run(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        """Return the bars, ordered by symbol and time.

        Args:
            sessions: Of the calendar, around all rows.
        """
        if "volume" not in self.rows:
            self.rows["volume"] = np.nan
        self._drop_early()
        self._check_numbers()
        self._check_duplicates()
        self._check_calendar(sessions)
        self._check_volume()
        self._check_ranges()
        self._check_gaps(sessions)
        return self.rows.sort_values(["symbol", self._time], ignore_index=True)

    @property
    def _time(self) -> str:
        return "label" if "label" in self.rows else "session"

    def _drop_early(self) -> None:
        early = self.rows["session"] < pd.Timestamp(FIRST_DAY)
        self._soft(early, "before_calendar", f"rows before {FIRST_DAY} are left out")
        self.rows = self.rows[~early]

    def _check_numbers(self) -> None:
        prices = self.rows[list(PRICE_FIELDS)]
        absent = prices.isna().all(axis=1)
        self._soft(absent, "no_price", "rows without any price are left out")
        wrong = ~absent & ~((prices > 0) & (prices < np.inf)).all(axis=1)
        self._row_problem(wrong, "bad_price", "prices that are missing, zero, negative or infinite")
        self.rows = self.rows[~absent & ~wrong]

    def _check_duplicates(self) -> None:
        rows = self.rows
        key = ["symbol", self._time]
        content = [*key, *PRICE_FIELDS, "volume"]
        same = rows.duplicated(content)
        self._soft(same, "duplicate", "rows that are there twice are left out")
        rows = self.rows = rows[~same]
        other = rows.duplicated(key, keep="last")
        self._row_problem(other, "conflict", "rows of one bar with different numbers", kept="last")
        self.rows = rows[~other]

    def _check_calendar(self, sessions: pd.DatetimeIndex) -> None:
        outside = ~self.rows["session"].isin(sessions)
        many = int(outside.sum()) > max(FEW, MAX_OUTSIDE * len(self.rows))
        problem = "days that are no session of the calendar"
        if self._time == "label":
            problem = "times at which the calendar has no bar of this timeframe"
        if many:
            self._row_problem(outside, "out_of_calendar", problem)
        else:
            self._soft(outside, "out_of_calendar", f"{problem} are left out")
        self.rows = self.rows[~outside]

    def _check_volume(self) -> None:
        volume = self.rows["volume"]
        negative = (volume < 0) | np.isinf(volume)
        self._row_problem(negative, "bad_volume", "volumes that are negative or infinite")
        rows = self.rows = self.rows[~negative].copy()
        traded = (rows["volume"] > 0).groupby(rows["symbol"]).transform("any")
        for symbol in sorted(rows.loc[~traded, "symbol"].unique()):
            self.findings.soft(
                "assumed_volume",
                symbol,
                f"the source has no volume; {ASSUMED_VOLUME:.0f} a day is assumed, so the volume "
                "limit never binds",
            )
        rows.loc[~traded, "volume"] = ASSUMED_VOLUME
        idle = ~(rows["volume"] > 0)
        self._soft(idle, "zero_volume", "bars without volume are left out: nothing can fill there")
        self.rows = rows[~idle]

    def _check_ranges(self) -> None:
        rows = self.rows.copy()
        prices = rows[list(PRICE_FIELDS)]
        top, bottom = prices.max(axis=1), prices.min(axis=1)
        excess = ((top - rows["high"]) + (rows["low"] - bottom)) / rows["close"]
        rounded = (excess > 0) & (excess <= ROUNDING)
        self._soft(rounded, "rounded_range", "highs and lows widened by their rounding")
        wrong = excess > ROUNDING
        self._row_problem(
            wrong, "bad_range", "opens or closes outside low and high", kept="widened"
        )
        rows["high"], rows["low"] = top, bottom
        self.rows = rows

    def _check_gaps(self, sessions: pd.DatetimeIndex) -> None:
        for symbol, rows in self.rows.groupby("symbol", sort=True):
            days = pd.DatetimeIndex(rows["session"])
            life = sessions[(sessions >= days.min()) & (sessions <= days.max())]
            missing = life.difference(days)
            if not len(missing):
                continue
            hard = len(missing) > max(FEW, MAX_MISSING * len(life)) and not self.repair
            advice = "; is the timeframe daily and the calendar right?" if hard else ""
            self.findings.either(
                Severity.HARD if hard else Severity.SOFT,
                "gap",
                str(symbol),
                f"{len(missing)} of {len(life)} sessions have no bar{advice}",
                [str(day.date()) for day in missing],
            )

    def _row_problem(
        self, wrong: "pd.Series[bool]", code: str, what: str, *, kept: str = "left out"
    ) -> None:
        if self.repair:
            done = {"last": "the last one is kept"}.get(kept, kept)
            self._soft(wrong, code, f"{what}: {done} by --repair")
            return
        for symbol, places in self._places(wrong):
            self.findings.hard(code, symbol, f"{what}; correct them or allow --repair", places)

    def _soft(self, chosen: "pd.Series[bool]", code: str, message: str) -> None:
        for symbol, places in self._places(chosen):
            self.findings.soft(code, symbol, message, places)

    def _places(self, chosen: "pd.Series[bool]") -> Sequence[tuple[str, list[str]]]:
        rows = self.rows[chosen]
        form = "%Y-%m-%d" if self._time == "session" else "%Y-%m-%d %H:%M"
        return [
            (
                str(symbol),
                [
                    f"{moment:{form}} in {file}, {self.line_of(file, row)}"
                    for moment, file, row in zip(
                        group[self._time], group["file"], group["row"], strict=True
                    )
                ],
            )
            for symbol, group in rows.groupby("symbol", sort=True)
        ]
