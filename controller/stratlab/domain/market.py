"""Markets, windows of time, costs and prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


DAILY = "1d"
"""The timeframe whose bars are whole sessions."""

INTRADAY_MINUTES: Mapping[str, int] = {
    "1m": 1,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
}
"""Timeframes inside a session and their minutes; the last bar of a session may be shorter."""

TIMEFRAMES = (*INTRADAY_MINUTES, DAILY)
"""Every timeframe that a data set may have, by length."""

SESSIONS_PER_YEAR: Mapping[str, int] = {"XNYS": 252, "CMES": 252, "24/5": 260, "24/7": 365}
"""Calendars that data sets may have, and what their daily returns are annualised with."""

_WEEKDAYS_PER_YEAR = 262


@final
class Tier(StrEnum):
    """Which part of a data set a trial may see; a later tier contains the earlier ones."""

    TRAIN = "train"
    VALIDATION = "validation"
    HOLDOUT = "holdout"


@final
@dataclass(frozen=True, slots=True)
class Window:
    """A closed range of sessions inside one tier.

    Attributes:
        tier: The tier whose mount the container gets.
        start: First session that is traded (warm-up bars before it are readable).
        end: Last session that is traded.
    """

    tier: Tier
    start: date
    end: date


@final
class CostModelKind(StrEnum):
    """How orders turn into fills."""

    NEXT_OPEN = "next_open"
    ZIPLINE = "zipline"


@final
@dataclass(frozen=True, slots=True)
class CostModel:
    """Fills and fees of a campaign; the harness imposes it on every strategy.

    ``next_open`` fills at the next bar's open with brackets checked inside the bar.
    ``zipline`` is zipline's default: next close, fixed basis points, volume share.

    Attributes:
        kind: Which model.
        slippage_bps: Adverse price move of market and stop fills, in basis points.
        commission_per_share: Fee in account currency for each share traded.
        volume_limit: Largest fraction of a bar's volume that one order may take.
    """

    kind: CostModelKind = CostModelKind.NEXT_OPEN
    slippage_bps: float = 5.0
    commission_per_share: float = 0.001
    volume_limit: float = 0.1


@final
@dataclass(frozen=True, slots=True)
class MarketSet:
    """Symbols of one data set that are traded together from one account."""

    data_set: str
    symbols: tuple[str, ...]
    timeframe: str = "1d"


@final
@dataclass(frozen=True, slots=True)
class TierRange:
    """First and last session of a tier's own window (without what precedes it)."""

    start: date
    end: date


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """How a symbol's numbers are stored, because zipline stores 32-bit thousandths.

    Everything that trades (mount, order log, host panel) is in stored units: one stored share is
    a lot of ``price`` units of the source. Money is the same in both.

    Attributes:
        price: Stored price over source price, a power of ten.
        volume: Stored volume over source volume, a power of ten.
    """

    price: float = 1.0
    volume: float = 1.0

    @property
    def lot(self) -> int | float:
        """Units of the source in one stored share; a whole number wherever it is one."""
        return int(self.price) if self.price >= 1 else self.price


@final
@dataclass(frozen=True, slots=True)
class DataSet:
    """An immutable, content-addressed data set.

    Attributes:
        name: What users call it.
        digest: sha256 of the canonical content (prices, actions, tiers), hex.
        symbols: All symbols, sorted.
        timeframe: Bar length of the base series.
        calendar: Exchange calendar name.
        warm_up_start: First session with prices.
        tiers: Traded range of each tier.
        provenance: Where the bytes came from and under which licence.
        caveats: What a reader of any result must know, for example survivorship bias.
        scales: Of the symbols whose numbers are not stored as they are.
    """

    name: str
    digest: str
    symbols: tuple[str, ...]
    timeframe: str
    calendar: str
    warm_up_start: date
    tiers: Mapping[Tier, TierRange]
    provenance: str
    caveats: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Split:
    """A split that takes effect at the open of ``bar``; ratio 0.5 is two for one."""

    bar: int
    symbol: str
    ratio: float


@final
@dataclass(frozen=True, slots=True)
class Dividend:
    """A cash dividend: held at the close before ``ex_bar``, paid at the open of ``pay_bar``."""

    ex_bar: int
    pay_bar: int
    symbol: str
    amount: float


@final
@dataclass(frozen=True, slots=True)
class PricePanel:
    """The host's own raw (unadjusted) prices of one market set up to a tier's end.

    A daily bar is labelled with its session's midnight, an intraday bar with its end, as
    zipline labels them. A corporate action takes effect at the first bar of its session.

    Attributes:
        bars: UTC epoch seconds of each bar label, shape (T,), ascending.
        symbols: Column order.
        open, high, low, close: Shape (T, N), NaN where a symbol has no bar.
        volume: Shape (T, N), 0 where a symbol has no bar.
        splits, dividends: Ordered by bar.
        auto_close: Bar at which a delisted symbol's positions are closed in cash.
        scales: Of the symbols whose numbers are not those of the source; everything else in
            the panel is in stored units.
        intraday_sessions: Midnight of each bar's session, UTC epoch seconds, shape (T,); None
            where bars are daily, for then the labels say it. See :attr:`sessions`.
        intraday_minutes: Minutes from the session's open to the end of each bar, shape (T,);
            None where bars are daily.
        sessions_per_year: What daily returns are annualised with.
    """

    bars: "NDArray[np.int64]"
    symbols: tuple[str, ...]
    open: "NDArray[np.float64]"
    high: "NDArray[np.float64]"
    low: "NDArray[np.float64]"
    close: "NDArray[np.float64]"
    volume: "NDArray[np.float64]"
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()
    auto_close: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    intraday_sessions: "NDArray[np.int64] | None" = None
    sessions_per_year: int = 252
    intraday_minutes: "NDArray[np.int64] | None" = None

    @property
    def sessions(self) -> "NDArray[np.int64]":
        """Midnight of each bar's session, UTC epoch seconds, shape (T,)."""
        return self.bars if self.intraday_sessions is None else self.intraday_sessions

    @property
    def days_per_week(self) -> int:
        """How many days of a week have sessions, from Monday on."""
        return 7 if self.sessions_per_year > _WEEKDAYS_PER_YEAR else 5
