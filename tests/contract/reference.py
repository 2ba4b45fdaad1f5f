"""Contract semantics and next-open fills once more: a slow, direct simulation over arrays.

It shares nothing with the compiler but the parser: rules are interpreted, indicators come from
numpy, positions and cash are kept here. What zipline does with a compiled contract must be what
this does, fill by fill.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from tests.contract.rule_reference import EPSILON, Clock, Series

from stratlab.contract.lowering import (
    history_sessions,
    longer_warm_up,
    warm_up_bars,
)
from stratlab.contract.model import StrategyContract

FIELDS = ("open", "high", "low", "close", "volume")
SLIPPAGE_BPS, VOLUME_LIMIT, COMMISSION = 5.0, 0.1, 0.001


@dataclass
class Market:
    """Raw bars of one symbol: rows are sessions from ``first`` on, NaN where it has no bar."""

    first: int
    bars: np.ndarray
    splits: dict[int, float] = field(default_factory=dict)
    dividends: dict[int, tuple[int, float]] = field(default_factory=dict)

    def bar(self, session: int) -> dict[str, float] | None:
        row = self.bars[session - self.first] if session >= self.first else None
        if row is None or not np.all(np.isfinite(row)) or not row[4] > 0:
            return None
        return dict(zip(FIELDS, row.tolist(), strict=True))

    def last_price(self, session: int) -> float:
        closes = self.bars[: session - self.first + 1, 3]
        return float(closes[np.isfinite(closes)][-1])

    def ratios(self) -> dict[int, float]:
        """Return by session what older prices are multiplied with."""
        found = dict(self.splits)
        for session, (_, amount) in self.dividends.items():
            found[session] = 1 - amount / self.bars[session - 1 - self.first, 3]
        return found

    def adjusted(self, start: int, now: int) -> tuple[dict[str, np.ndarray], list[int]]:
        """Return all valid bars from ``start`` to ``now`` as seen from ``now``."""
        sessions = [at for at in range(start, now + 1) if self.bar(at)]
        rows = np.array([self.bars[at - self.first] for at in sessions])
        for session, ratio in sorted(self.ratios().items()):
            if session <= now:
                older = np.array(sessions) < session
                rows[older, :4] *= ratio
                if session in self.splits:
                    rows[older, 4] = rows[older, 4] / ratio
        rows[:, :4] = np.round(rows[:, :4], 3)
        return {name: rows[:, place] for place, name in enumerate(FIELDS)}, sessions


def to_tick(price: float) -> float:
    return math.floor(price / 0.01 + 0.5) * 0.01


@dataclass
class Position:
    """One bracket: a waiting entry first, then shares with levels."""

    amount: int
    distances: dict
    price: float | None = None
    stop: float | None = None
    take: float | None = None
    bars_held: int = -1
    closing: bool = False

    @property
    def side(self) -> int:
        return 1 if self.amount > 0 else -1


@dataclass
class Symbol:
    market: Market
    start: int | None = None
    series: Series | None = None
    sessions: list = field(default_factory=list)
    position: Position | None = None


def simulate(
    contract: StrategyContract,
    parameters: dict,
    markets: dict[str, Market],
    window: tuple[int, int],
    capital: float,
    clock: Clock | None = None,
) -> list[tuple[int, str, int, float]]:
    """Return all fills as (session, symbol, signed shares, price).

    The clock is for contracts that read longer timeframes alone.
    """
    account = _Account(contract, dict(parameters), markets, capital, clock)
    for session in range(window[0], window[1] + 1):
        account.open_session(session)
        account.fill_orders(session)
        for symbol in account.symbols:
            account.decide(symbol, session)
    return account.fills


class _Account:
    def __init__(self, contract, parameters, markets, capital, clock) -> None:
        self.contract, self.parameters, self.cash = contract, parameters, capital
        self.clock = clock
        self.symbols = {name: Symbol(market) for name, market in markets.items()}
        self.warm_up = warm_up_bars(contract, parameters)
        self.longer = longer_warm_up(contract, parameters)
        self.history = history_sessions(contract, parameters)
        self.fills: list[tuple[int, str, int, float]] = []
        self.payable: list[tuple[int, float]] = []

    def open_session(self, session: int) -> None:
        for state in self.symbols.values():
            position, market = state.position, state.market
            if position is not None and session in market.splits:
                self._split(position, market.splits[session])
            if position is not None and position.price and session in market.dividends:
                pay, amount = market.dividends[session]
                self.payable.append((pay, amount * position.amount))
        self.cash += sum(amount for pay, amount in self.payable if pay == session)

    def _split(self, position: Position, ratio: float) -> None:
        position.amount = int(position.amount / ratio)
        position.distances = {
            name: value * ratio for name, value in position.distances.items() if value is not None
        }
        if position.price is not None:
            position.price *= ratio
            position.stop = None if position.stop is None else round(position.stop * ratio, 2)
            position.take = None if position.take is None else round(position.take * ratio, 2)

    def fill_orders(self, session: int) -> None:
        for name, state in self.symbols.items():
            bar, position = state.market.bar(session), state.position
            if bar is None or position is None:
                continue
            if abs(position.amount) > VOLUME_LIMIT * bar["volume"]:
                continue
            side, slip = position.side, SLIPPAGE_BPS / 1e4
            if position.closing:
                self._fill(session, name, -position.amount, bar["open"] * (1 - side * slip))
                state.position = None
                continue
            if position.price is None:
                position.price = bar["open"] * (1 + side * slip)
                self._fill(session, name, position.amount, position.price)
                if "stop" in position.distances:
                    position.stop = to_tick(position.price - side * position.distances["stop"])
                if "take" in position.distances:
                    position.take = to_tick(position.price + side * position.distances["take"])
            reached = _reached(bar, position)
            if reached is not None:
                level, slips = reached
                price = level * (1 - side * slip) if slips else level
                self._fill(session, name, -position.amount, price)
                state.position = None

    def _fill(self, session: int, name: str, amount: int, price: float) -> None:
        self.cash -= amount * price + abs(amount) * COMMISSION
        self.fills.append((session, name, amount, price))

    def equity(self, session: int) -> float:
        return self.cash + sum(
            state.position.amount * state.market.last_price(session)
            for state in self.symbols.values()
            if state.position is not None and state.position.price is not None
        )

    def decide(self, name: str, session: int) -> None:
        state = self.symbols[name]
        if state.market.bar(session) is None:
            return
        if state.start is None:
            existing = session - state.market.first + 1
            state.start = session - min(existing, self.history) + 1
        self._look(state, session)
        at = state.sessions.index(session)
        if at < self.warm_up:
            return
        if any(state.series.ended[name][at] < bars for name, bars in self.longer.items()):
            return
        position = state.position
        if position is None:
            state.position = self._enter(state, at, session)
        elif position.price is not None:
            position.bars_held += 1
            if not position.closing:
                self._manage(state, position, at)

    def _look(self, state: Symbol, session: int) -> None:
        # Recomputed when the past has changed: at the first bar and after an adjustment. In
        # between the whole segment is known to depend on earlier bars only.
        ratios = state.market.ratios()
        last = state.market.first + len(state.market.bars) - 1
        known = state.sessions[-1] if state.sessions else -1
        if session > known:
            until = min([at for at in ratios if at > session] + [last + 1]) - 1
            bars, state.sessions = state.market.adjusted(state.start, until)
            state.series = Series(self.contract, self.parameters, bars, state.sessions, self.clock)

    def _enter(self, state: Symbol, at: int, session: int) -> Position | None:
        series, risk = state.series, self.contract.risk_model
        sides = [
            side
            for side, name in ((1, "long"), (-1, "short"))
            if any(
                series.rule(rule.when, at)
                for rule in self.contract.entry_rules
                if rule.side == name
            )
        ]
        if not sides:
            return None
        distances = {
            name: self._distance(distance, series, at)
            for name, distance in (
                ("stop", risk.stop),
                ("take", risk.take),
                ("trigger", risk.breakeven.trigger if risk.breakeven else None),
                ("trail", risk.trailing.distance if risk.trailing else None),
            )
            if distance is not None
        }
        if not all(math.isfinite(value) and value > 0 for value in distances.values()):
            return None
        equity = self.equity(session) * (1 / len(self.symbols))
        close, sizing = series.known["close"][at], risk.sizing
        if sizing.kind == "units":
            amount = sizing.units
        elif sizing.kind == "percent_equity":
            amount = math.floor(equity * sizing.percent / 100 / close)
        else:
            wanted = min(equity * sizing.percent / 100 / distances["stop"], equity / close)
            amount = math.floor(wanted / sizing.unit_step) * sizing.unit_step
        return Position(sides[0] * amount, distances) if amount >= 1 else None

    def _distance(self, distance, series: Series, at: int) -> float:
        value = distance.mult if distance.kind == "atr" else distance.value
        value = self.parameters[value[1:]] if isinstance(value, str) else value
        if distance.kind == "atr":
            return value * series.known[distance.indicator][at]
        return (
            series.known["close"][at] * value / 100 if distance.kind == "percent" else value / 100
        )

    def _manage(self, state: Symbol, position: Position, at: int) -> None:
        series, risk = state.series, self.contract.risk_model
        side = "long" if position.side > 0 else "short"
        numbers = {"bars_held": position.bars_held, "entry_price": position.price}
        if any(
            series.rule(rule.when, at, numbers)
            for rule in self.contract.exit_rules
            if rule.side == side
        ):
            position.closing = True
            return
        close, levels = series.known["close"][at], []
        if risk.breakeven:
            profit = position.side * (close - position.price)
            if not position.distances["trigger"] - profit > EPSILON:
                offset = risk.breakeven.offset_ticks * 0.01
                levels.append(to_tick(position.price + position.side * offset))
        if risk.trailing:
            levels.append(to_tick(close - position.side * position.distances["trail"]))
        for level in levels:
            better = position.stop is None or position.side * (level - position.stop) > EPSILON
            if level > 0 and better:
                position.stop = level


def _reached(bar: dict, position: Position) -> tuple[float, bool] | None:
    side = position.side

    def touched(price: float) -> str:
        if position.stop is not None and side * (price - position.stop) <= 0:
            return "stop"
        if position.take is not None and side * (price - position.take) >= 0:
            return "take"
        return ""

    at_open = touched(bar["open"])
    if at_open:
        return bar["open"], at_open == "stop"
    high_first = bar["high"] - bar["open"] < bar["open"] - bar["low"]
    for extreme in ("high", "low") if high_first else ("low", "high"):
        leg = touched(bar[extreme])
        if leg:
            return (position.stop, True) if leg == "stop" else (position.take, False)
    return None
