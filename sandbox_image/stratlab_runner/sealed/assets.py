"""Assets whose ends nobody knows yet: zipline's equities and asset finder over living tables."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from zipline.assets import AssetDBWriter, AssetFinder, Equity
from zipline.assets.asset_db_schema import asset_router, equities, equity_symbol_mappings, exchanges
from zipline.assets.asset_writer import split_delimited_symbol

from stratlab_runner.calendars import COUNTRIES

FAR: Final = pd.Timestamp("2200-01-01")
"""First day of an asset that has not traded yet, and last day of one that still lives."""

_CACHED_MAPS: Final = (
    "symbol_ownership_map",
    "symbol_ownership_maps_by_country_code",
    "fuzzy_symbol_ownership_map",
    "fuzzy_symbol_ownership_maps_by_country_code",
)


@final
@dataclass(slots=True)
class Dates:
    """What is known of an asset's life, without time zone.

    Attributes:
        start: First session with a bar.
        end: Last one.
        auto_close: When zipline closes positions in it, None while it lives.
    """

    start: pd.Timestamp = FAR
    end: pd.Timestamp = FAR
    auto_close: pd.Timestamp | None = None


# Of the only market of this process. Equities are copied and pickled by their numbers alone.
_dates: dict[int, Dates] = {}


@final
class LiveEquity(Equity):  # type: ignore[misc]  # zipline has no types
    """An equity that learns when it began and when it ended."""

    __slots__ = ()

    @property
    def start_date(self) -> pd.Timestamp:
        """First session with a bar."""
        return _dates[self.sid].start

    @property
    def first_traded(self) -> pd.Timestamp:
        """The same."""
        return _dates[self.sid].start

    @property
    def end_date(self) -> pd.Timestamp:
        """Last session with a bar."""
        return _dates[self.sid].end

    @property
    def auto_close_date(self) -> pd.Timestamp | None:
        """When positions in it are closed."""
        return _dates[self.sid].auto_close

    def is_alive_for_session(self, session_label: pd.Timestamp) -> bool:
        """Return whether the asset lives in a session, as zipline does."""
        dates = _dates[self.sid]
        return bool(dates.start.value <= session_label.value <= dates.end.value)

    def __repr__(self) -> str:
        """Return what zipline shows."""
        return f"Equity({self.sid} [{self.symbol}])"


@final
class LiveFinder(AssetFinder):  # type: ignore[misc]  # zipline has no types
    """Zipline's finder over assets that are listed one after the other."""

    @classmethod
    def empty(cls, exchange: str) -> Self:
        """Return a finder that knows no asset yet; an earlier one of this process ends.

        Args:
            exchange: Name of the calendar, which is the exchange of all assets.
        """
        _dates.clear()
        connection = sqlite3.connect(":memory:")
        engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        AssetDBWriter(engine).init_db()
        row = {
            "exchange": exchange,
            "canonical_name": exchange,
            "country_code": COUNTRIES[exchange],
        }
        with engine.begin() as transaction:
            transaction.execute(exchanges.insert(), row)
        finder = cls(engine)
        finder._exchange = exchange
        return finder

    def enter(self, listings: Iterable[tuple[int, str]], since: pd.Timestamp) -> None:
        """List assets that have not traded yet.

        Args:
            listings: Number and symbol of each.
            since: Session from which on its symbol is its own.
        """
        rows = []
        for sid, name in listings:
            _dates[sid] = Dates()
            symbol = name.upper()  # as zipline's own writer
            company, share_class = split_delimited_symbol(symbol)
            rows.append(
                {
                    "sid": sid,
                    "asset_name": name,
                    "start_date": since.value,
                    "end_date": FAR.value,
                    "exchange": self._exchange,
                    "asset_type": "equity",
                    "id": sid,
                    "symbol": symbol,
                    "company_symbol": company,
                    "share_class_symbol": share_class,
                }
            )
        if not rows:
            return
        with self.engine.begin() as transaction:
            for table in (equities, equity_symbol_mappings, asset_router):
                names = table.columns.keys()
                kept = [{name: row[name] for name in names if name in row} for row in rows]
                transaction.execute(table.insert(), kept)
        for cache in self._caches:
            cache.clear()
        for name in _CACHED_MAPS:
            getattr(AssetFinder, name)._cache.pop(self, None)  # noqa: SLF001 - it has no other way

    def dates(self, sid: int) -> Dates:
        """Return the dates of an asset; to be told of changes by :meth:`forget_lifetimes`.

        Raises:
            KeyError: It is not listed.
        """
        return _dates[sid]

    def forget_lifetimes(self) -> None:
        """Read the dates of all assets anew when they are asked for."""
        self._asset_lifetimes.clear()

    def retrieve_equities(self, sids: Iterable[int]) -> dict[int, Any]:
        """Return equities by their numbers, as zipline does."""
        found: dict[int, Any] = self._retrieve_assets(sids, self.equities, LiveEquity)
        return found

    def _compute_asset_lifetimes(self, **kwargs: Any) -> Any:
        # In the order of their numbers, as in a database that was written at once.
        found = super()._compute_asset_lifetimes(**kwargs)
        sids = np.sort(found.sid)
        lives = [_dates[sid] for sid in sids.tolist()]
        starts, ends = ([getattr(each, name).value for each in lives] for name in ("start", "end"))
        return found._replace(
            sid=sids, start=np.array(starts, "int64"), end=np.array(ends, "int64")
        )
