"""The lab's own trading API: bracket orders, and the cost model that fills at the next open.

Strategies use ``order_bracket``, ``Bracket`` and ``risk``. ``NextOpenSlippage`` is imposed by the
harness, or set by whoever runs an exported strategy. Nothing but the standard library, zipline,
``bars`` and ``risk`` is imported here, because exported strategies carry the text of all three.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, final

from zipline.api import cancel_order, order
from zipline.finance.execution import ExecutionStyle
from zipline.finance.order import Order
from zipline.finance.slippage import SlippageModel
from zipline.finance.transaction import Transaction, create_transaction
from zipline.utils.api_support import get_algo_instance

from stratlab_runner import risk  # noqa: F401 - the lab's too
from stratlab_runner.bars import (  # noqa: F401 - the lab's too
    MarketSymbols,
    TimeframeError,
    bar_time,
    bars_per_session,
    bind_context,
    days_per_week,
    on_bar,
    session_bars,
    window,
)

TICK = 0.01
"""Bracket levels are multiples of it (account currency)."""


class BracketError(Exception):
    """A bracket cannot be placed or changed; the message says why."""


def order_bracket(
    asset: Any,
    amount: int,
    stop_distance: float | None = None,
    take_distance: float | None = None,
) -> "Bracket":
    """Order a market entry with a protective stop leg, a profit-taking leg, or both.

    The legs sleep until the entry has filled. Then they rest at its price minus and plus their
    distance (the other way round for a short entry), rounded to a cent, from that very bar on;
    the one that is reached first closes the position and drops the other.

    Args:
        asset: What to trade.
        amount: Signed whole shares of the entry.
        stop_distance: Price distance of the stop leg, None for no such leg.
        take_distance: Price distance of the take leg, None for no such leg.

    Raises:
        BracketError: An argument is wrong, the asset cannot be ordered any more, or the cost
            model cannot fill inside a bar.
    """
    if amount == 0 or amount != int(amount):
        raise BracketError(f"a bracket needs a whole number of shares, not {amount}")
    for distance in (stop_distance, take_distance):
        if distance is not None and not (math.isfinite(distance) and distance > 0):
            raise BracketError(f"a bracket distance is a positive number, not {distance}")
    algorithm = get_algo_instance()
    watch = getattr(algorithm.blotter.slippage_models[type(asset)], "watch", None)
    if watch is None:
        raise BracketError("the cost model of this run has no brackets; next_open has")
    entry_id = order(asset, int(amount))
    if entry_id is None:
        raise BracketError(f"{asset.symbol} cannot be ordered any more, it was delisted")
    state = _State(
        algorithm.blotter.orders[entry_id],
        session=_session_number(algorithm.trading_calendar, algorithm.get_datetime()),
        stop_distance=None if stop_distance is None else float(stop_distance),
        take_distance=None if take_distance is None else float(take_distance),
    )
    watch(state.entry, state)
    if state.stop_distance is not None:
        state.stop = _place_leg(state, "bracket_stop", distance=state.stop_distance)
    if state.take_distance is not None:
        state.take = _place_leg(state, "bracket_take", distance=state.take_distance)
    return Bracket(state)


@final
class Bracket:
    """A market entry and the legs that close it; made by :func:`order_bracket`.

    It knows the shares of its own entry alone: other orders of the symbol neither change nor
    close it, whatever the position is.
    """

    def __init__(self, state: "_State") -> None:
        self._state = state

    @property
    def amount(self) -> int:
        """Signed whole shares of the entry."""
        return int(self._state.entry.amount)

    @property
    def is_pending(self) -> bool:
        """Whether the entry still waits for its fill."""
        return self._state.price is None and bool(self._state.entry.open)

    @property
    def is_open(self) -> bool:
        """Whether the entry has filled and its shares are not closed yet."""
        self._state.catch_up()
        return self._state.is_filled

    @property
    def entry_price(self) -> float | None:
        """Price of the entry's fill, None before it; later splits are applied to it."""
        self._state.catch_up()
        return self._state.price

    @property
    def stop_level(self) -> float | None:
        """Level at which the stop leg rests, None while it does not."""
        return next((leg.stop for leg in self._state.resting() if leg.stop is not None), None)

    @property
    def take_level(self) -> float | None:
        """Level at which the take leg rests, None while it does not."""
        return next((leg.limit for leg in self._state.resting() if leg.limit is not None), None)

    def move_stop(self, level: float) -> None:
        """Let the stop leg rest at another level from the next bar on.

        Args:
            level: Account currency per share; rounded to a cent.

        Raises:
            BracketError: The bracket is not open, or the level is no price.
        """
        if not self.is_open:
            raise BracketError("only the stop of an open bracket can be moved")
        if not (math.isfinite(level) and level > 0):
            raise BracketError(f"a stop level is a positive number, not {level}")
        level = _tick(level)
        if level == self.stop_level:
            return
        state = self._state
        if state.stop is not None:
            cancel_order(state.stop.id)
        state.stop_distance = None
        state.stop = _place_leg(state, "bracket_stop", level=level, amount=-state.shares)

    def close(self) -> None:
        """Cancel what rests; an open bracket's shares are then closed by a market order."""
        state = self._state
        if self.is_pending:
            cancel_order(state.entry.id)
        elif self.is_open and (state.closing is None or not state.closing.open):
            for leg in state.resting():
                cancel_order(leg.id)
            closing_id = order(state.entry.asset, -state.shares)
            state.closing = get_algo_instance().blotter.orders.get(closing_id)


@final
class NextOpenSlippage(SlippageModel):  # type: ignore[misc]  # zipline has no types
    """Fills at the open of the bar after the order, and inside that bar.

    A buy is described, a sell is its mirror image; ``s`` is the slippage as a fraction.

    * An order larger than the volume limit waits, whole.
    * Market: at the open times ``1 + s``.
    * Limit: at the open when it is at or below the limit, else at the limit when the low touches
      it; without slippage.
    * Stop: at the open times ``1 + s`` when it is at or above the stop, else at the stop times
      ``1 + s`` when the high touches it.
    * Stop limit: a plain limit order from the bar after the one that touched its stop.
    * Bracket legs: at the open when it is beyond a level; else at the level that the path
      reaches first, which goes to the extreme nearer to the open first (to the low in a tie).
      The stop leg has slippage, the take leg has none.

    Args:
        slippage_bps: Adverse price move of market and stop fills, in basis points.
        volume_limit: Largest fraction of a bar's volume that one order may take.
    """

    def __init__(self, slippage_bps: float = 5.0, volume_limit: float = 0.1) -> None:
        super().__init__()
        self._slippage = slippage_bps / 1e4
        self._volume_limit = volume_limit
        self._states: dict[str, _State] = {}

    def watch(self, leg: Order, state: "_State") -> None:
        """Fill ``leg``, or the entry, as part of a bracket."""
        self._states[leg.id] = state

    def process_order(self, data: Any, order: Order) -> tuple[float | None, int | None]:
        """Return price and signed shares of a plain order's fill in this bar, or two None."""
        price = self._plain_price(order, _Bar.read(data, order.asset))
        return (None, None) if price is None else (price, order.open_amount)

    def simulate(
        self, data: Any, asset: Any, orders_for_asset: list[Order]
    ) -> Iterator[tuple[Order, Transaction]]:
        """Yield the fills of one asset in one bar, in the order of placing."""
        self._follow_entries(orders_for_asset)
        bar = _Bar.read(data, asset)
        if bar.volume == 0 or math.isnan(bar.close):
            return
        resolved: set[int] = set()
        for candidate in list(orders_for_asset):
            state = self._states.get(candidate.id)
            if not candidate.open or (state is not None and id(state) in resolved):
                continue
            if state is None or candidate is state.entry:
                filled, price = candidate, self._plain_price(candidate, bar)
            else:
                resolved.add(id(state))
                filled, price = state.first_reached(bar, self._slippage) or (candidate, None)
            if price is None or abs(filled.open_amount) > self._volume_limit * bar.volume:
                continue
            yield filled, create_transaction(filled, data.current_dt, price, filled.open_amount)
            if state is not None and filled is state.entry:
                state.wake(price)
            elif state is not None:
                state.exited = True
                _drop(state.resting(), orders_for_asset)

    def _plain_price(self, order: Order, bar: "_Bar") -> float | None:
        side = 1 if order.amount > 0 else -1
        # Seen from a buy: the far extreme raises a stop, the near one meets a limit.
        far, near = (bar.high, bar.low) if side > 0 else (bar.low, bar.high)
        if order.stop is not None and order.limit is not None:
            if side * (far - order.stop) >= 0:
                order.stop = None
            return None
        if order.limit is not None:
            if side * (bar.open - order.limit) <= 0:
                return bar.open
            return order.limit if side * (near - order.limit) <= 0 else None
        if order.stop is None or side * (bar.open - order.stop) >= 0:
            return bar.open * (1 + side * self._slippage)
        if side * (far - order.stop) >= 0:
            return float(order.stop * (1 + side * self._slippage))
        return None

    def _follow_entries(self, orders: list[Order]) -> None:
        states = {id(state): state for o in orders if (state := self._states.get(o.id))}
        for state in states.values():
            if state.price is None:
                state.catch_up()
                if not state.entry.open:  # cancelled, or emptied by a reverse split
                    _drop(state.resting(), orders)


@dataclass(frozen=True, slots=True)
class _Bar:
    open: float
    high: float
    low: float
    close: float
    volume: float

    @classmethod
    def read(cls, data: Any, asset: Any) -> Self:
        return cls(*(data.current(asset, n) for n in ("open", "high", "low", "close", "volume")))


@dataclass(slots=True, eq=False)
class _State:
    # What a bracket and the cost model know together, as of a session (its number). Zipline
    # applies splits to positions and resting orders alone.
    entry: Order
    session: int
    stop_distance: float | None
    take_distance: float | None
    stop: Order | None = None
    take: Order | None = None
    price: float | None = None
    shares: int = 0
    closing: Order | None = None
    exited: bool = False

    @property
    def is_filled(self) -> bool:
        closed = self.closing is not None and self.closing.filled != 0
        return self.shares != 0 and not self.exited and not closed

    def resting(self) -> list[Order]:
        return [leg for leg in (self.stop, self.take) if leg is not None and leg.open]

    def catch_up(self) -> None:
        algorithm, asset = get_algo_instance(), self.entry.asset
        now = _session_number(algorithm.trading_calendar, algorithm.get_datetime())
        for number in range(self.session + 1, now + 1):
            session = algorithm.trading_calendar.sessions[number]
            for _, ratio in algorithm.data_portal.get_splits({asset}, session):
                self._split(ratio)
            if asset.auto_close_date is not None and session > asset.auto_close_date:
                self.shares = 0  # it was delisted, and zipline has paid for them
        self.session = now

    def _split(self, ratio: float) -> None:
        if self.price is not None:
            self.price *= ratio
            self.shares = int(self.shares / ratio)  # as zipline does with a resting leg
        if self.stop_distance is not None:
            self.stop_distance *= ratio
        if self.take_distance is not None:
            self.take_distance *= ratio

    def wake(self, price: float) -> None:
        self.price = price
        self.shares = int(self.entry.amount)
        side = 1 if self.entry.amount > 0 else -1
        if self.stop is not None and self.stop_distance is not None:
            self.stop.stop = _tick(price - side * self.stop_distance)
        if self.take is not None and self.take_distance is not None:
            self.take.limit = _tick(price + side * self.take_distance)

    def first_reached(self, bar: _Bar, slippage: float) -> tuple[Order, float] | None:
        high_first = bar.high - bar.open < bar.open - bar.low
        path = (bar.open, bar.high, bar.low) if high_first else (bar.open, bar.low, bar.high)
        side = -1 if self.entry.amount > 0 else 1
        legs = self.resting()
        for price in path:
            for leg in legs:
                if leg.stop is not None and side * (price - leg.stop) >= 0:
                    reached = bar.open if price == bar.open else leg.stop
                    return leg, reached * (1 + side * slippage)
                if leg.limit is not None and side * (price - leg.limit) <= 0:
                    return leg, bar.open if price == bar.open else leg.limit
        return None


@final
class _LegStyle(ExecutionStyle):  # type: ignore[misc]  # zipline has no types
    """How a leg is placed; a recording blotter reads its attributes."""

    def __init__(self, kind: str, parent: str, distance: float | None, level: float | None) -> None:
        self.leg_kind = kind
        self.leg_parent = parent
        self.leg_distance = distance
        self._level = level

    def get_limit_price(self, is_buy: bool) -> None:  # noqa: FBT001 - zipline's signature
        """Return None: the level is known when the entry has filled."""
        del is_buy

    def get_stop_price(self, is_buy: bool) -> float | None:  # noqa: FBT001 - the same
        """Return the level of a moved stop."""
        del is_buy
        return self._level


def _place_leg(
    state: _State,
    kind: str,
    *,
    distance: float | None = None,
    level: float | None = None,
    amount: int | None = None,
) -> Order:
    # Past zipline's order(): its controls judge an order by the position of this moment, and a
    # leg only ever closes what its entry opens.
    entry = state.entry
    blotter = get_algo_instance().blotter
    style = _LegStyle(kind, entry.id, distance, level)
    leg = blotter.orders[blotter.order(entry.asset, amount or -int(entry.amount), style)]
    blotter.slippage_models[type(entry.asset)].watch(leg, state)
    return leg


def _drop(legs: list[Order], orders: list[Order]) -> None:
    for leg in legs:
        leg.cancel()
        orders.remove(leg)


@lru_cache(maxsize=1)  # it takes its time, and every bracket asks
def _session_number(calendar: Any, moment: Any) -> int:
    return int(calendar.sessions.get_loc(calendar.minute_to_session(moment)))


def _tick(price: float) -> float:
    return math.floor(price / TICK + 0.5) * TICK
