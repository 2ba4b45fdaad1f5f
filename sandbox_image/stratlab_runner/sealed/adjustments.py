"""Splits and dividends as they become known, in the tables that zipline reads."""

import sqlite3
from typing import Final, Self, final

import pandas as pd
from zipline.data.adjustments import SQLiteAdjustmentReader

_NEVER: Final = int(pd.NaT.value)
_SECOND: Final = 10**9
_RATIOS: Final = "sid INTEGER, effective_date INTEGER, ratio REAL"
_PAYOUTS: Final = (
    "sid INTEGER, ex_date INTEGER, declared_date INTEGER, record_date INTEGER, pay_date INTEGER"
)
# Zipline's own writer gives the columns of empty tables no types, and then finds nothing in them.
_TABLES: Final = {
    "splits": (_RATIOS, "effective_date"),
    "mergers": (_RATIOS, "effective_date"),
    "dividends": (_RATIOS, "effective_date"),
    "dividend_payouts": (f"{_PAYOUTS}, amount REAL", "ex_date"),
    "stock_dividend_payouts": (f"{_PAYOUTS}, payment_sid INTEGER, ratio REAL", "ex_date"),
}


@final
class LiveAdjustments(SQLiteAdjustmentReader):  # type: ignore[misc]  # zipline has no types
    """Zipline's reader of a database in memory that grows."""

    @classmethod
    def empty(cls) -> Self:
        """Return a reader that knows nothing yet."""
        connection = sqlite3.connect(":memory:")
        for table, (columns, date) in _TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.execute(f"CREATE INDEX {table}_sid ON {table} (sid)")
            connection.execute(f"CREATE INDEX {table}_{date} ON {table} ({date})")
        return cls(connection)

    def add_split(self, sid: int, session: pd.Timestamp, ratio: float) -> None:
        """Take note of a split that is effective in ``session``."""
        self._insert("splits", sid, session, ratio)

    def add_dividend(
        self, sid: int, session: pd.Timestamp, paid: int, amount: float, close: float
    ) -> float | None:
        """Take note of a dividend.

        Args:
            sid: Number of the asset.
            session: The first one without the dividend.
            paid: Session in which it is paid, UTC epoch seconds, 0 for never.
            amount: Account currency per share.
            close: Raw close of the session before, NaN when there is none.

        Returns:
            By what earlier prices are multiplied, None if by nothing.
        """
        ex_date = session.value // _SECOND
        row = (sid, ex_date, _NEVER, _NEVER, paid or _NEVER, amount)
        self.conn.execute(
            "INSERT INTO dividend_payouts"
            " (sid, ex_date, declared_date, record_date, pay_date, amount)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        ratio = 1.0 - amount / close
        if not ratio > 0:
            return None
        self._insert("dividends", sid, session, ratio)
        return ratio

    def _insert(self, table: str, sid: int, session: pd.Timestamp, ratio: float) -> None:
        self.conn.execute(
            f"INSERT INTO {table} (sid, effective_date, ratio) VALUES (?, ?, ?)",  # noqa: S608 - our own names
            (sid, session.value // _SECOND, ratio),
        )
