"""Runs the Python of a compiled contract outside zipline, bar by bar, over random markets.

The source is executed as it is; ``zipline.api`` and ``stratlab_runner.lab`` are stood in for by
what is needed here: bars as of today, one account, and brackets that fill by ``next_open``.
"""

import builtins
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.contract.reference import COMMISSION, SLIPPAGE_BPS, VOLUME_LIMIT, Market, to_tick
from tests.vectorised.panels import DAYS

from stratlab.contract.lowering import lower
from stratlab.contract.model import StrategyContract
from stratlab.contract.python_rules import uses_position
from stratlab.contract.zipline_source import compile_to_zipline

SLIPPAGE = SLIPPAGE_BPS / 1e4
EPOCH = date(1970, 1, 1)


@dataclass
class Run:
    """What a compiled strategy did.

    Attributes:
        fills: (session, symbol, signed shares, price), sorted.
        holds: Rule and symbol -> the sessions at which the rule held, of those decided on.
        decided: Symbol -> the sessions that were decided on.
        value: Of the account at the last close.
    """

    fills: list = field(default_factory=list)
    holds: dict = field(default_factory=dict)
    decided: dict = field(default_factory=dict)
    value: float = 0.0


@dataclass
class Asset:
    symbol: str
    market: Market

    @property
    def start_date(self) -> int:
        return self.market.first


class Bracket:
    """A market entry with its legs, as the lab's own."""

    def __init__(self, asset: Asset, amount: int, stop: float | None, take: float | None) -> None:
        self.asset, self.amount = asset, amount
        self.shares = 0
        self.entry_price: float | None = None
        self.stop_level: float | None = None
        self.take_level: float | None = None
        self._distances = [stop, take]
        self._closing = self._closed = False

    @property
    def side(self) -> int:
        return 1 if self.amount > 0 else -1

    @property
    def is_pending(self) -> bool:
        return self.entry_price is None and self.amount != 0

    @property
    def is_open(self) -> bool:
        return self.entry_price is not None and not self._closed and self.shares != 0

    def move_stop(self, level: float) -> None:
        assert self.is_open
        self.stop_level = to_tick(level)

    def close(self) -> None:
        assert self.is_open
        self._closing = True
        self.stop_level = self.take_level = None

    def split(self, ratio: float) -> None:
        if self.entry_price is None:
            self.amount = int(self.amount / ratio)
            self._distances = [each and each * ratio for each in self._distances]
        elif self.is_open:
            self.shares = int(self.shares / ratio)
            self.entry_price *= ratio
            self.stop_level = self.stop_level and round(self.stop_level * ratio, 2)
            self.take_level = self.take_level and round(self.take_level * ratio, 2)

    def trade(self, bar: dict) -> list[tuple[int, float]]:
        """Return the fills of a bar: the entry's, a leg's, or that of a closing order."""
        fills: list[tuple[int, float]] = []
        capacity = VOLUME_LIMIT * bar["volume"]
        if self.is_pending and abs(self.amount) <= capacity:
            self.entry_price = bar["open"] * (1 + self.side * SLIPPAGE)
            self.shares = self.amount
            fills.append((self.amount, self.entry_price))
            stop, take = self._distances
            self.stop_level = stop and to_tick(self.entry_price - self.side * stop)
            self.take_level = take and to_tick(self.entry_price + self.side * take)
        if self.is_open and abs(self.shares) <= capacity:
            price = (
                bar["open"] * (1 - self.side * SLIPPAGE) if self._closing else self._leg_price(bar)
            )
            if price is not None:
                fills.append((-self.shares, price))
                self._closed = True
        return fills

    def _leg_price(self, bar: dict) -> float | None:
        names = ("high", "low")
        if not bar["high"] - bar["open"] < bar["open"] - bar["low"]:
            names = ("low", "high")
        for price in (bar["open"], *(bar[name] for name in names)):
            at_open = price == bar["open"]
            if self.stop_level is not None and self.side * (price - self.stop_level) <= 0:
                level = bar["open"] if at_open else self.stop_level
                return level * (1 - self.side * SLIPPAGE)
            if self.take_level is not None and self.side * (price - self.take_level) >= 0:
                return bar["open"] if at_open else self.take_level
        return None


class World:
    """The markets at one session: data, calendar, portfolio and lab in one."""

    def __init__(self, markets: dict[str, Market], capital: float) -> None:
        self.assets = {name: Asset(name, market) for name, market in markets.items()}
        self.cash = capital
        self.current_session = 0
        self.brackets: list[Bracket] = []
        self.payable: list[tuple[int, float]] = []
        self.fills: list[tuple[int, str, int, float]] = []
        # What strategies find under these names.
        self.timeframe, self.symbols = "1d", tuple(markets)
        self.params: dict[str, Any] = {}
        self.trading_calendar = SimpleNamespace(sessions=SimpleNamespace(get_loc=int))
        self.portfolio = self

    def module(self, name: str, *args: object) -> object:
        """Return what the source imports under a name, the real thing for the rest."""
        if name == "zipline.api":
            return SimpleNamespace(symbol=self.assets.__getitem__)
        if name == "stratlab_runner":
            return SimpleNamespace(lab=self)
        return builtins.__import__(name, *args)

    def current(self, asset: Asset, name: str) -> float:
        bar = asset.market.bar(self.current_session)
        return float("nan") if bar is None else bar[name]

    def history(self, asset: Asset, name: str, count: int, unit: str) -> object:
        first = self.current_session + 1 - count
        adjusted, sessions = asset.market.adjusted(first, self.current_session)
        assert sessions[0] == first
        return SimpleNamespace(iloc=adjusted[name])

    def can_trade(self, asset: Asset) -> bool:
        return True

    def bars_per_session(self, data: object) -> int:
        return 1

    def days_per_week(self) -> int:
        return 5

    def bar_time(self, data: object) -> tuple[int, int]:
        return (DAYS[self.current_session] - EPOCH).days, 0

    def session_bars(self, data: object, asset: Asset, fields: tuple, count: int) -> list:
        now = self.current_session
        columns, sessions = asset.market.adjusted(now + 1 - count, now)
        columns["session"] = np.array([(DAYS[at] - EPOCH).days for at in sessions])
        columns["minute"] = np.zeros(len(sessions), dtype=int)
        return list(zip(*(columns[name].tolist() for name in fields), strict=True))

    def order_bracket(
        self,
        asset: Asset,
        amount: int,
        stop_distance: float | None = None,
        take_distance: float | None = None,
    ) -> Bracket:
        self.brackets.append(Bracket(asset, amount, stop_distance, take_distance))
        return self.brackets[-1]

    @property
    def portfolio_value(self) -> float:
        return self.cash + sum(
            bracket.shares * bracket.asset.market.last_price(self.current_session)
            for bracket in self.brackets
            if bracket.is_open
        )

    def open_session(self, session: int) -> None:
        """Pay dividends, split shares and fill what was ordered before."""
        self.current_session = session
        for bracket in self.brackets:
            market = bracket.asset.market
            if bracket.is_open and session in market.dividends:
                pay, amount = market.dividends[session]
                self.payable.append((pay, amount * bracket.shares))
            if session in market.splits:
                bracket.split(market.splits[session])
        self.cash += sum(amount for pay, amount in self.payable if pay == session)
        for bracket in self.brackets:
            bar = bracket.asset.market.bar(session)
            for amount, price in bracket.trade(bar) if bar else ():
                self.cash -= amount * price + abs(amount) * COMMISSION
                self.fills.append((session, bracket.asset.symbol, amount, price))
        self.brackets = [each for each in self.brackets if each.is_pending or each.is_open]


def run_compiled(
    contract: StrategyContract,
    markets: dict[str, Market],
    window: tuple[int, int],
    capital: float,
    position: tuple[float, float] = (0.0, 0.0),
) -> Run:
    """Run a contract's compiled source over a window of sessions, both ends included.

    Args:
        contract: At its default parameters.
        markets: Symbols of one account.
        window: First and last session.
        capital: Starting cash.
        position: ``bars_held`` and ``entry_price`` with which rules are asked at every bar.
    """
    world, run = World(markets, capital), Run()
    names: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": world.module}}
    exec(compile(compile_to_zipline(contract), "<strategy>", "exec"), names)  # noqa: S102 - our own
    world.params = contract.parameters
    names["initialize"](world)
    lowered = lower(contract)
    rules = {
        rule.id: (names[f"rule_{rule.id}"], position if uses_position(rule) else ())
        for rule in (*lowered.entries, *lowered.exits)
    }
    for session in range(window[0], window[1] + 1):
        world.open_session(session)
        names["handle_data"](world, world)
        for trader in world.traders:
            symbol, series = trader.asset.symbol, trader.series
            if trader.asset.market.bar(session) is None or _is_cold(names, trader):
                continue
            run.decided.setdefault(symbol, set()).add(session)
            for name, (rule, arguments) in rules.items():
                if rule(series, trader.p, *arguments):
                    run.holds.setdefault((name, symbol), set()).add(session)
    run.fills, run.value = sorted(world.fills), world.portfolio_value
    return run


def _is_cold(names: dict[str, Any], trader: Any) -> bool:
    if "is_warm" in names:
        return not names["is_warm"](trader.series, trader.p, trader.bars)
    return trader.bars <= names["warm_up"](trader.series, trader.p)
