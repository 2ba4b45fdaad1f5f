"""Random strategies: lists of calls that are made at some bars, over every data and order call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from hypothesis import strategies as st
from traces import exact
from zipline import api
from zipline.finance.execution import LimitOrder, StopLimitOrder, StopOrder

from stratlab_runner import lab

SPOT = ("price", "open", "high", "low", "close", "volume", "last_traded")
FIELDS = SPOT[:-1]


@dataclass(frozen=True)
class Action:
    """A call at every ``every``-th bar from ``first`` on, with arguments out of two numbers."""

    name: str
    first: int
    every: int
    one: int
    two: int


@dataclass
class Script:
    """A strategy that performs actions and keeps what they gave.

    Attributes:
        actions: What it does.
        names: Symbols of the market.
        trace: (bar, name of the call, what it gave or raised).
    """

    actions: Sequence[Action]
    names: Sequence[str]
    trace: list[Any]

    def functions(self) -> dict[str, Callable[..., None]]:
        """Return the strategy's functions by zipline's names."""
        return {"initialize": self._initialize, "handle_data": self._handle_data,
                "before_trading_start": self._before}  # fmt: skip

    def _initialize(self, context: Any) -> None:
        context.bar = -1
        context.assets = [api.symbol(name) for name in self.names]
        context.orders, context.brackets = [], []
        for action in self.actions:
            settle = SETTINGS.get(action.name)
            if settle is not None:
                settle(context, action)
        api.schedule_function(
            self._scheduled, api.date_rules.week_start(), api.time_rules.market_open(minutes=30)
        )

    def _before(self, context: Any, data: Any) -> None:
        context.bar += 1
        self._perform(context, data, "before", only=SEEN)

    def _scheduled(self, context: Any, data: Any) -> None:
        self._perform(context, data, "scheduled", only=CALLS)

    def _handle_data(self, context: Any, data: Any) -> None:
        self._perform(context, data, "bar", only=CALLS)

    def _perform(
        self, context: Any, data: Any, where: str, only: dict[str, Callable[..., Any]]
    ) -> None:
        for action in self.actions:
            if action.name in only and (context.bar - action.first) % action.every == 0:
                self._note(context, where, action.name, only[action.name], data, action)
        for number, look in enumerate(SURVEY):
            self._note(context, where, f"survey {number}", look, data)

    def _note(
        self, context: Any, where: str, name: str, call: Callable[..., Any], *arguments: Any
    ) -> None:
        try:
            given = exact(call(context, *arguments))
        except Exception as error:  # noqa: BLE001 - what a call raises is part of what it gives
            given = ("raised", type(error).__name__, str(error))
        self.trace.append((context.bar, where, name, given))


def _asset(context: Any, action: Action) -> Any:
    return context.assets[action.one % len(context.assets)]


def _assets(context: Any, action: Action) -> Any:
    # One asset, or several in some order, as a list or a tuple.
    count = len(context.assets)
    kind = action.one % 4
    if kind == 0:
        return _asset(context, action)
    turned = context.assets[action.two % count :] + context.assets[: action.two % count]
    return tuple(turned) if kind == 1 and action.two % 5 == 0 else turned[: 1 + action.one % count]


def _fields(names: Sequence[str], action: Action) -> Any:
    kind = action.two % 3
    if kind < 2:
        return names[action.two % len(names)]
    turned = list(names[action.one % len(names) :]) + list(names[: action.one % len(names)])
    return turned[: 1 + action.two % len(names)]


def _shares(action: Action) -> int:
    return (action.two % 41 - 20) * 5


def _style(context: Any, data: Any, action: Action) -> Any:
    price = data.current(_asset(context, action), "price")
    near = float(price) * (0.97 + 0.01 * (action.two % 7))
    kind = (action.one + action.two) % 4
    if kind == 0 or near != near:  # noqa: PLR0124 - NaN
        return None
    return (LimitOrder(near), StopOrder(near), StopLimitOrder(near, near * 1.01))[kind - 1]


def _placed(context: Any, order_id: str | None) -> Any:
    # Zipline's ids are random.
    if order_id is None:
        return None
    context.orders.append(order_id)
    return len(context.orders)


def _order(call: Callable[..., str | None], amount: Callable[[Action], float]) -> Any:
    def perform(context: Any, data: Any, action: Action) -> Any:
        style = _style(context, data, action)
        return _placed(context, call(_asset(context, action), amount(action), style=style))

    return perform


def _batch(context: Any, data: Any, action: Action) -> Any:
    del data
    shares = pd.Series(
        {asset: _shares(action) + number for number, asset in enumerate(context.assets)},
        dtype="int64",
    )
    return [_placed(context, order_id) for order_id in api.batch_market_order(shares)]


def _bracket(context: Any, data: Any, action: Action) -> Any:
    price = data.current(_asset(context, action), "price")
    bracket = lab.order_bracket(
        _asset(context, action), _shares(action), 0.02 * price, 0.03 * price
    )
    context.brackets.append(bracket)


def _brackets(context: Any, data: Any, action: Action) -> Any:
    seen = []
    for number, bracket in enumerate(context.brackets[-3:]):
        seen.append((bracket.amount, bracket.is_pending, bracket.is_open, bracket.entry_price,
                     bracket.stop_level, bracket.take_level))  # fmt: skip
        if bracket.is_open and (number + action.two) % 3 == 0:
            bracket.move_stop(float(data.current(_asset(context, action), "price")) * 0.99)
        elif (number + action.two) % 3 == 1:
            bracket.close()
    return seen


def _open_orders(context: Any, data: Any, action: Action) -> Any:
    del data
    if action.two % 2:
        return api.get_open_orders(_asset(context, action))
    return dict(api.get_open_orders())


def _cancel(context: Any, data: Any, action: Action) -> Any:
    del data
    if context.orders:
        api.cancel_order(context.orders[action.two % len(context.orders)])


def _get_order(context: Any, data: Any, action: Action) -> Any:
    del data
    return api.get_order(context.orders[action.two % len(context.orders)])


def _portfolio(context: Any, data: Any, action: Action) -> Any:
    del data, action
    portfolio = context.portfolio
    positions = {
        asset: (held.amount, held.cost_basis, held.last_sale_price, held.last_sale_date)
        for asset, held in portfolio.positions.items()
    }
    return (portfolio.cash, portfolio.portfolio_value, portfolio.pnl, portfolio.returns,
            portfolio.positions_value, portfolio.positions_exposure, portfolio.starting_cash,
            portfolio.capital_used, portfolio.start_date, positions,
            portfolio.current_portfolio_weights)  # fmt: skip


def _account(context: Any, data: Any, action: Action) -> Any:
    del data, action
    return vars(context.account)


LOOKS: dict[str, Callable[..., Any]] = {
    "current": lambda c, d, a: d.current(_assets(c, a), _fields(SPOT, a)),
    "history": lambda c, d, a: d.history(_assets(c, a), _fields(FIELDS, a), 1 + a.two % 12, "1d"),
    "window": lambda c, d, a: lab.window(_assets(c, a), FIELDS[a.two % 6], 1 + a.one % 12),
    "can_trade": lambda c, d, a: d.can_trade(_assets(c, a)),
    "is_stale": lambda c, d, a: d.is_stale(_assets(c, a)),
    "current_session": lambda c, d, a: (d.current_session, d.current_dt),
    "current_session_minutes": lambda c, d, a: d.current_session_minutes,
    "fetcher_assets": lambda c, d, a: d.fetcher_assets,
    "get_datetime": lambda c, d, a: (api.get_datetime(), api.get_datetime("US/Eastern")),
    "get_environment": lambda c, d, a: api.get_environment("*"),
    "portfolio": _portfolio,
    "account": _account,
    "get_open_orders": _open_orders,
    "get_order": _get_order,
    "wrong_field": lambda c, d, a: d.current(c.assets[0], "cost"),
    "wrong_history": lambda c, d, a: d.history(c.assets, ("close", "size")[a.two % 2], 0, "1d"),
    "wrong_frequency": lambda c, d, a: d.history(c.assets[0], "close", 3, "1h"),
}
MINUTE_LOOKS: dict[str, Callable[..., Any]] = {
    "minutes": lambda c, d, a: d.history(_assets(c, a), _fields(FIELDS, a), 1 + 3 * a.two, "1m"),
    "minute_window": lambda c, d, a: lab.window(
        _assets(c, a), FIELDS[a.two % 6], 1 + 7 * a.one, "1m"
    ),
    "session_bars": lambda c, d, a: lab.session_bars(
        d, _asset(c, a), ("open", "close", "session", "minute"), 1 + a.two % 4
    ),
}
ORDERS: dict[str, Callable[..., Any]] = {
    "order": _order(api.order, _shares),
    "order_value": _order(api.order_value, lambda a: _shares(a) * 40.0),
    "order_percent": _order(api.order_percent, lambda a: _shares(a) / 200),
    "order_target": _order(api.order_target, _shares),
    "order_target_value": _order(api.order_target_value, lambda a: _shares(a) * 40.0),
    "order_target_percent": _order(api.order_target_percent, lambda a: _shares(a) / 200),
    "batch_market_order": _batch,
    "order_bracket": _bracket,
    "brackets": _brackets,
    "cancel_order": _cancel,
    "record": lambda c, d, a: api.record(value=a.two, price=d.current(_asset(c, a), "price")),
}
SEEN = LOOKS | MINUTE_LOOKS
CALLS = SEEN | ORDERS


def _turned(context: Any) -> list[Any]:
    return context.assets[::-1] if context.bar % 2 else list(context.assets)


# What every script looks at in every bar: an asset in turn in all fields, and all assets at once.
SURVEY: tuple[Callable[..., Any], ...] = (
    *(
        lambda c, d, field=field: d.current(c.assets[c.bar % len(c.assets)], field)
        for field in SPOT
    ),
    *(
        lambda c, d, field=field: d.history(
            c.assets[c.bar % len(c.assets)], field, 1 + c.bar % 9, "1d"
        )
        for field in FIELDS
    ),
    lambda c, d: d.current(_turned(c), list(SPOT)),
    lambda c, d: d.history(_turned(c), ["price", "volume"], 1 + c.bar % 4, "1d"),
    lambda c, d: (d.can_trade(_turned(c)), d.is_stale(_turned(c))),
)
SETTINGS: dict[str, Callable[..., Any]] = {
    "set_long_only": lambda c, a: api.set_long_only(on_error="log"),
    "set_max_order_size": lambda c, a: api.set_max_order_size(
        _asset(c, a), max_shares=60, on_error="log"
    ),
    "set_max_order_count": lambda c, a: api.set_max_order_count(3, on_error="log"),
    "set_do_not_order_list": lambda c, a: api.set_do_not_order_list([_asset(c, a)], on_error="log"),
    "set_asset_restrictions": lambda c, a: api.set_asset_restrictions(
        api_restrictions([_asset(c, a)]), on_error="log"
    ),
    "set_cancel_policy": lambda c, a: api.set_cancel_policy(
        api.cancel_policy.EODCancel(warn_on_cancel=False)
    ),
}


def api_restrictions(assets: Sequence[Any]) -> Any:
    """Restrictions of assets."""
    from zipline.finance.asset_restrictions import StaticRestrictions  # noqa: PLC0415 - one use

    return StaticRestrictions(assets)


def actions(*more: str) -> st.SearchStrategy[list[Action]]:
    """Any script: orders and looks at the data, perhaps settings.

    Args:
        more: Names of :data:`MINUTE_LOOKS` that it may make too.
    """
    number = st.integers(0, 1000)

    def of(names: Sequence[str]) -> st.SearchStrategy[Action]:
        return st.builds(
            Action, st.sampled_from(list(names)), st.integers(0, 5), st.integers(1, 6),
            number, number,
        )  # fmt: skip

    looks = st.lists(of((*LOOKS, *more)), min_size=1, max_size=5)
    orders = st.lists(of((*ORDERS, "order", "order_target", "order_percent")),
                      min_size=1, max_size=5)  # fmt: skip
    settings = st.lists(of(tuple(SETTINGS)), max_size=1)
    return st.tuples(looks, orders, settings).map(lambda parts: [*parts[2], *parts[0], *parts[1]])
