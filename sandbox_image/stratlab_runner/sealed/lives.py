"""Where an asset's life is in the arrays, as far as it is known."""

from typing import Any, final

import pandas as pd

from stratlab_runner.sealed.bars import EVER, LiveBars


@final
class LiveLife:
    """Rows and moments of one asset, under the names of the fast engine's Life.

    Args:
        column: Its own.
        bars: All bars.

    Attributes:
        column, first, last, listed, end, start, until, starts_at, closes_at: As there.
    """

    __slots__ = (
        "_bars", "closes_at", "column", "end", "first", "last", "listed", "start", "starts_at",
        "until",
    )  # fmt: skip

    def __init__(self, column: int, bars: LiveBars) -> None:
        self.column = column
        self.first = self.last = self.listed = self.start = self.end = self.until = EVER
        self.starts_at = self.closes_at = pd.Timestamp.max.value
        self._bars = bars

    def begin(self, session: pd.Timestamp, last_minutes: Any) -> None:
        """Take note that the first bar is that of ``session``.

        Args:
            session: Without time zone.
            last_minutes: Of all sessions, nanoseconds since 1970-01-01.
        """
        self.first = self.listed = self._bars.day_bars.rows[session.value]
        self.starts_at = session.value
        self.start = int(last_minutes.searchsorted(session.value))

    def finish(self, row: int, closing: pd.Timestamp) -> None:
        """Take note of the end.

        Args:
            row: Of the last bar.
            closing: When zipline closes positions.
        """
        self.last = self.end = row
        self.closes_at = closing.value
        sessions = self._bars.day_bars.sessions
        self.until = min(row, int(sessions.searchsorted(closing, side="right")) - 1)

    def last_close(self, row: int) -> int:
        """Return the last row up to one that has a close, -1 when there is none."""
        return self._bars.last_close(self.column, row)

    def last_volume(self, row: int) -> int:
        """Return the last row up to one that has volume, -1 when there is none."""
        return self._bars.last_volume(self.column, row)
