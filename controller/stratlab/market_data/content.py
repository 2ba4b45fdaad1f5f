"""The canonical content of a data set: validated tables, and the digest that names them."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, final

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import DAILY, Scale, Tier, TierRange

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# Zipline stores a price as an unsigned 32-bit number of thousandths, and a volume as it is.
PRICE_UNITS = 1000
UINT32_MAX = 2**32 - 1

PRICE_FIELDS = ("open", "high", "low", "close")

_PLAIN = Scale()


@final
@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a data set's digest covers.

    Sessions are pandas timestamps at midnight without time zone, labels the ends of intraday
    bars in UTC, without time zone too.

    Attributes:
        calendar: Exchange calendar name.
        timeframe: Bar length.
        prices: Columns symbol, session, open, high, low, close, volume; raw prices in account
            currency, multiples of 0.001, in stored units; ordered by symbol and session.
            Intraday bars have a column label after the symbol and are ordered by it.
        splits: Columns symbol, session, ratio (0.5 is two for one); in force at that open.
        dividends: Columns symbol, ex_session, pay_session, amount (cash for each stored share).
        tiers: Traded range of each tier, bounds are sessions.
        scales: Of the symbols whose numbers are not stored as they are.
        empty_sessions: Sessions of the calendar on which no symbol has a bar, ascending; not
            told for intraday bars, where such a session is no part of any trial.
    """

    calendar: str
    timeframe: str
    prices: "pd.DataFrame"
    splits: "pd.DataFrame"
    dividends: "pd.DataFrame"
    tiers: Mapping[Tier, TierRange]
    scales: Mapping[str, Scale] = field(default_factory=dict)
    empty_sessions: tuple[date, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, sorted."""
        return tuple(sorted(self.prices["symbol"].unique()))

    @property
    def sessions(self) -> tuple[date, ...]:
        """Every day with a bar, ascending."""
        return tuple(day.date() for day in sorted(self.prices["session"].unique()))

    def digest(self) -> str:
        """Return the sha256 of the content, hex; equal content gives an equal digest anywhere."""
        head: dict[str, object] = {
            "calendar": self.calendar,
            "timeframe": self.timeframe,
            "tiers": {
                tier.value: [span.start.isoformat(), span.end.isoformat()]
                for tier, span in self.tiers.items()
            },
        }
        # Absent where they say nothing, as in the digests of the first data sets.
        if self.scales:
            head["scales"] = {name: [s.price, s.volume] for name, s in self.scales.items()}
        if self.empty_sessions:
            head["empty_sessions"] = [day.isoformat() for day in self.empty_sessions]
        parts = [json.dumps(head, sort_keys=True).encode()]
        for table in (self.prices, self.splits, self.dividends):
            parts.extend(_column_bytes(table, name) for name in table.columns)
        # Digests of the parts, so that no byte can move from one part into the next.
        parts = [hashlib.sha256(part).digest() for part in parts]
        return hashlib.sha256(b"".join(parts)).hexdigest()


def canonical(
    *,
    calendar: str,
    timeframe: str,
    prices: "pd.DataFrame",
    splits: "pd.DataFrame",
    dividends: "pd.DataFrame",
    tiers: Mapping[Tier, TierRange],
    scales: Mapping[str, Scale] | None = None,
    empty_sessions: Iterable[date] = (),
) -> Content:
    """Validate tables in any row order and return their canonical form.

    Tables are in units of the source; prices, dividends and volumes of the symbols in ``scales``
    are brought to stored units. Prices are rounded to zipline's 0.001, volumes down to whole
    stored shares (a bar that traded keeps at least one). A dividend's pay date that is no session
    moves to the next one, because zipline never pays on any other day. Tier bounds snap inwards
    to sessions.

    Raises:
        InvalidInputError: A value is missing, inconsistent or does not fit zipline's numbers;
            names the symbol and session.
    """
    if timeframe == DAILY:
        prices = _ordered(prices, ["symbol", "session"], [*PRICE_FIELDS, "volume"])
    else:
        from stratlab.market_data import intraday  # noqa: PLC0415 - keeps start-up fast

        intraday.check_timeframe(timeframe)
        prices = intraday.with_sessions(prices, calendar, timeframe)
        prices = _ordered(prices, ["symbol", "label"], ["session", *PRICE_FIELDS, "volume"])
    splits = _ordered(splits, ["symbol", "session"], ["ratio"])
    dividends = _ordered(dividends, ["symbol", "ex_session"], ["pay_session", "amount"])
    used = {name: scale for name, scale in sorted((scales or {}).items()) if scale != _PLAIN}
    _apply_scales(prices, dividends, used)
    for name in PRICE_FIELDS:
        prices[name] = (prices[name].astype("float64") * PRICE_UNITS).round() / PRICE_UNITS
    _check_prices(prices)
    prices["volume"] = prices["volume"].astype("int64")
    if timeframe != DAILY:
        intraday.check_intraday(prices, len(splits) + len(dividends), calendar)
        empty_sessions = ()
    sessions = prices["session"].drop_duplicates().sort_values().to_numpy()
    for table, column, value in (
        (splits, "session", "ratio"),
        (dividends, "ex_session", "amount"),
    ):
        table[value] = table[value].astype("float64")
        known = table["symbol"].isin(prices["symbol"]) & table[column].isin(sessions)
        _refuse(table, ~known, column, "is for no known symbol and session")
        _refuse(table, ~(table[value] > 0), column, f"has a {value} that is not positive")
    _refuse(
        dividends,
        ~(dividends["pay_session"] >= dividends["ex_session"]),
        "ex_session",
        "is paid before its ex date",
    )
    dividends["pay_session"] = _next_sessions(dividends["pay_session"], sessions)
    days = [day.date() for day in prices["session"].drop_duplicates().sort_values()]
    return Content(
        calendar=calendar,
        timeframe=timeframe,
        prices=prices,
        splits=splits,
        dividends=dividends,
        tiers={tier: _snap(tier, tiers[tier], days) for tier in _in_time_order(tiers)},
        scales=used,
        empty_sessions=tuple(sorted(set(empty_sessions) - set(days))),
    )


def _apply_scales(
    prices: "pd.DataFrame", dividends: "pd.DataFrame", scales: Mapping[str, Scale]
) -> None:
    if scales:
        prices["volume"] = prices["volume"].astype("float64")
    for symbol, scale in scales.items():
        rows = prices["symbol"] == symbol
        if scale.price != 1:
            prices.loc[rows, list(PRICE_FIELDS)] *= scale.price
            dividends.loc[dividends["symbol"] == symbol, "amount"] *= scale.price
        if scale.volume != 1:
            volume = prices.loc[rows, "volume"]
            stored = (volume * scale.volume).round(6) // 1
            prices.loc[rows, "volume"] = stored.mask((volume > 0) & (stored < 1), 1)


def _ordered(table: "pd.DataFrame", key: list[str], values: list[str]) -> "pd.DataFrame":
    if table[key].isna().any(axis=None):
        raise InvalidInputError(f"a row has no {' or no '.join(key)}")
    table = table[[*key, *values]].sort_values(key, ignore_index=True)
    _refuse(table, table.duplicated(key), key[1], "appears twice")
    return table


def _check_prices(prices: "pd.DataFrame") -> None:
    bars = prices[list(PRICE_FIELDS)]
    volume = prices["volume"]
    for wrong, complaint in (
        (~(bars > 0).all(axis=1), "has a price that is missing or below 0.001"),
        (
            (bars > UINT32_MAX / PRICE_UNITS).any(axis=1),
            f"has a price above {UINT32_MAX / PRICE_UNITS}, the most that zipline can store",
        ),
        (
            (bars.max(axis=1) > bars["high"]) | (bars.min(axis=1) < bars["low"]),
            "has an open or close outside its low and high",
        ),
        (~(volume > 0), "has a volume that is missing or not positive"),
        (
            volume > UINT32_MAX,
            f"has a volume above {UINT32_MAX}, the most that zipline can store",
        ),
    ):
        _refuse(prices, wrong, "label" if "label" in prices else "session", complaint)


def _refuse(table: "pd.DataFrame", wrong: "pd.Series[bool]", column: str, complaint: str) -> None:
    if wrong.any():
        row = table[wrong].iloc[0]
        session = row[column] if column == "label" else row[column].date()
        raise InvalidInputError(
            f"{row['symbol']} {session} {complaint} ({int(wrong.sum())} such rows)",
            hint="Correct these rows of the input and build again.",
            symbol=row["symbol"],
            session=session,
        )


def _next_sessions(
    days: "pd.Series[pd.Timestamp]", sessions: "NDArray[np.datetime64]"
) -> "pd.Series[pd.Timestamp]":
    # A payment after the last session stays where it is: no run reaches it.
    position = sessions.searchsorted(days.to_numpy())
    inside = position < len(sessions)
    mapped = days.copy()
    mapped[inside] = sessions[position[inside]]
    return mapped


def _snap(tier: Tier, span: TierRange, sessions: Sequence[date]) -> TierRange:
    inside = [day for day in sessions if span.start <= day <= span.end]
    if not inside:
        raise InvalidInputError(
            f"tier {tier} ({span.start} to {span.end}) contains no session of the data",
            hint=f"The data reach from {sessions[0]} to {sessions[-1]}.",
        )
    return TierRange(inside[0], inside[-1])


def _in_time_order(tiers: Mapping[Tier, TierRange]) -> Iterable[Tier]:
    order = [tier for tier in Tier if tier in tiers]
    for earlier, later in itertools.pairwise(order):
        if tiers[earlier].end >= tiers[later].start:
            raise InvalidInputError(
                f"tier {later} starts before tier {earlier} has ended",
                hint="Tiers follow each other without overlap: train, validation, holdout.",
            )
    return order


def _column_bytes(table: "pd.DataFrame", name: str) -> bytes:
    column = table[name]
    if name == "symbol":
        return json.dumps(column.tolist()).encode()
    if name == "label":
        return column.to_numpy().astype("datetime64[s]").astype("<i8").tobytes()
    if name.endswith("session"):
        return column.to_numpy().astype("datetime64[D]").astype("<i8").tobytes()
    if name in PRICE_FIELDS:
        return (column.to_numpy() * PRICE_UNITS).round().astype("<i8").tobytes()
    return column.to_numpy().astype("<i8" if name == "volume" else "<f8").tobytes()
