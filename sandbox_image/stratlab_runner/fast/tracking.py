"""Zipline's ledger and metrics tracker without what nobody reads at every session."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from zipline.assets import Future
from zipline.finance.ledger import Ledger, PositionTracker
from zipline.finance.metrics import MetricsTracker

from stratlab_runner.fast.portal import FastPortal

_SECOND = 10**9


@final
@dataclass(frozen=True)
class PositionSums:
    """Sums over the positions, under the names of zipline's PositionStats.

    Attributes:
        sids: Number of each asset.
        position_exposure_array: Value of each position, short ones negative.
        long_value, short_value: Sums of the positive and of the negative ones.
        longs_count, shorts_count: How many they are.
    """

    sids: tuple[int, ...]
    position_exposure_array: NDArray[np.float64]
    long_value: float
    short_value: float
    longs_count: int
    shorts_count: int

    @property
    def long_exposure(self) -> float:
        """Of equities, the same as their value."""
        return self.long_value

    @property
    def short_exposure(self) -> float:
        """Of equities, the same as their value."""
        return self.short_value

    @property
    def net_value(self) -> float:
        """Sum of all."""
        return self.long_value + self.short_value

    @property
    def gross_value(self) -> float:
        """Sum of all absolute values."""
        return self.long_value - self.short_value

    @property
    def net_exposure(self) -> float:
        """Of equities, the same as the net value."""
        return self.net_value

    @property
    def gross_exposure(self) -> float:
        """Of equities, the same as the gross value."""
        return self.gross_value

    @cached_property
    def position_exposure_series(self) -> pd.Series:
        """Value of each position by the number of its asset."""
        return pd.Series(self.position_exposure_array, index=np.array(self.sids, "int64"))


@final
class LeanPositionTracker(PositionTracker):  # type: ignore[misc]  # zipline has no types
    """Zipline's position tracker, which reads prices from arrays and sums without pandas."""

    _dirty_stats: bool
    _sums: PositionSums

    def sync_last_sale_prices(
        self,
        dt: pd.Timestamp,
        data_portal: FastPortal,
        handle_non_market_minutes: bool = False,  # noqa: FBT001, FBT002 - zipline's signature
    ) -> None:
        """Take the current price of every position, as zipline does."""
        row = None
        if self.data_frequency == "daily" and not handle_non_market_minutes:
            row = data_portal.row(dt)
        if row is None:
            super().sync_last_sale_prices(dt, data_portal, handle_non_market_minutes)
            return
        self._dirty_stats = True
        for asset, position in self.positions.items():
            life = data_portal.life(asset)
            if life is None:
                super().sync_last_sale_prices(dt, data_portal)
                return
            price = data_portal.session_value(asset, life, "price", row)
            if price == price:  # noqa: PLR0124 - NaN
                inner = position.inner_position
                inner.last_sale_price = price
                inner.last_sale_date = dt

    @property
    def stats(self) -> Any:
        """Sums over the positions, made anew when they may have changed."""
        if self._dirty_stats:
            if any(type(asset) is Future for asset in self.positions):
                return super().stats
            self._sums = _sums(self.positions)
            self._dirty_stats = False
        return self._sums


@final
class LeanLedger(Ledger):  # type: ignore[misc]  # zipline has no types
    """Zipline's ledger, which looks for corporate actions only where there are any.

    Args:
        sessions: Of the run.
        capital_base: Account currency.
        data_frequency: ``daily`` or ``minute``.
    """

    def __init__(
        self, sessions: pd.DatetimeIndex, capital_base: float, data_frequency: str
    ) -> None:
        super().__init__(sessions, capital_base, data_frequency)
        self.position_tracker = LeanPositionTracker(data_frequency)
        self._ex_days: frozenset[int] | None = None

    def forget_actions(self) -> None:
        """Look anew on which days dividends are."""
        self._ex_days = None

    def end_of_session(self, session_ix: int) -> None:
        """Keep the day's returns; the series shows the same memory."""
        self.daily_returns_array[session_ix] = self.todays_returns

    def process_dividends(
        self, next_session: pd.Timestamp, asset_finder: Any, adjustment_reader: Any
    ) -> None:
        """Earn and pay dividends, as zipline does."""
        if self._ex_days is None:
            self._ex_days = _ex_days(adjustment_reader)
        if next_session.value // _SECOND in self._ex_days:
            super().process_dividends(next_session, asset_finder, adjustment_reader)
        else:
            self._cash_flow(self.position_tracker.pay_dividends(next_session))

    def update_portfolio(self) -> None:
        """Compute the portfolio when it may have changed, as zipline does."""
        if not self._dirty_portfolio:
            return
        if self._payout_last_sale_prices:  # of futures
            super().update_portfolio()
            return
        tracker = self.position_tracker
        state: dict[str, Any] = self._immutable_portfolio.__dict__
        state["positions"] = tracker.get_positions()
        state["positions_value"] = value = tracker.stats.net_value
        state["positions_exposure"] = tracker.stats.net_exposure
        before = state["portfolio_value"]
        state["portfolio_value"] = after = state["cash"] + value
        gain = after - before
        state["pnl"] += gain
        returns = gain / before if before != 0 else 0.0
        state["returns"] = (1 + state["returns"]) * (1 + returns) - 1
        self._dirty_portfolio = False

    @property
    def account(self) -> Any:
        """The account, computed when it may have changed, as zipline does."""
        if self._dirty_account:
            portfolio = self.portfolio
            value, gross, net = self.calculate_period_stats()
            cash = portfolio.cash
            state: dict[str, Any] = self._immutable_account.__dict__
            state.update(
                settled_cash=cash,
                accrued_interest=0.0,
                buying_power=np.inf,
                equity_with_loan=value,
                total_positions_value=value - cash,
                total_positions_exposure=portfolio.positions_exposure,
                regt_equity=cash,
                regt_margin=np.inf,
                initial_margin_requirement=0.0,
                maintenance_margin_requirement=0.0,
                available_funds=cash,
                excess_liquidity=cash,
                cushion=cash / value if value else np.nan,
                day_trades_remaining=np.inf,
                net_liquidation=value,
                gross_leverage=gross,
                net_leverage=net,
                leverage=gross,
            )
            state.update(self._account_overrides)
            self._dirty_account = False
        return self._immutable_account


@final
class LeanTracker(MetricsTracker):  # type: ignore[misc]  # zipline has no types
    """Zipline's metrics tracker over a lean ledger.

    Args:
        options: Of zipline's tracker.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ledger = LeanLedger(
            self._sessions, options["capital_base"], options["data_frequency"]
        )
        schedule = options["trading_calendar"]
        opens = schedule.first_minutes_nanos.tolist()
        closes = schedule.last_minutes_nanos.tolist()
        days = schedule.sessions_nanos.tolist()
        self._hours = dict(zip(days, zip(opens, closes, strict=True), strict=True))

    def forget_actions(self) -> None:
        """Look anew on which days dividends are."""
        self._ledger.forget_actions()

    def handle_market_open(self, session_label: pd.Timestamp, data_portal: Any) -> None:
        """Begin a session, as zipline does."""
        ledger = self._ledger
        ledger.start_of_session(session_label)
        reader = data_portal.adjustment_reader
        if reader is not None:
            ledger.process_dividends(session_label, self._asset_finder, reader)
        self._current_session = session_label
        hours = self._hours[session_label.value]
        self._market_open, self._market_close = (pd.Timestamp(ns, tz="UTC") for ns in hours)
        self.start_of_session(ledger, session_label, data_portal)


def _sums(positions: Any) -> PositionSums:
    # One after the other: the order of the additions decides the last bits.
    exposures, sids = [], []
    long_value = short_value = 0.0
    longs = shorts = 0
    for asset, position in positions.items():
        inner = position.inner_position
        exposure = inner.amount * inner.last_sale_price
        if exposure > 0:
            longs += 1
            long_value += exposure
        elif exposure < 0:
            shorts += 1
            short_value += exposure
        sids.append(asset.sid)
        exposures.append(exposure)
    return PositionSums(tuple(sids), np.array(exposures), long_value, short_value, longs, shorts)


def _ex_days(adjustment_reader: Any) -> frozenset[int]:
    connection = adjustment_reader.conn
    rows = [
        row
        for table in ("dividend_payouts", "stock_dividend_payouts")
        for row in connection.execute(f"SELECT ex_date FROM {table}")  # noqa: S608 - our own names
    ]
    return frozenset(int(day) for (day,) in rows)
