"""Writes the trading half of a compiled strategy: entries, exits, stops and the bar loop."""

from typing import TYPE_CHECKING

from stratlab.contract.lowering import LoweredContract, LoweredRule
from stratlab.contract.python_rules import uses_position
from stratlab.contract.python_text import call, statement

if TYPE_CHECKING:
    from stratlab.contract.model import Distance, RiskModel, StrategyContract

TICK = "0.01"

_READ = '''\
class Trader:
    """Trades one symbol: feeds its series bar by bar and decides at each close."""

    def __init__(self, asset, p, share):
        self.asset = asset
        self.p = p
        self.share = share  # of the account's equity
        self.series = Series(p)
        self.bars = 0  # fed to the series
        self.first = None  # number of the first session fed
        self.newest = 0  # number of the session of the newest bar fed
        self.bracket = None
        self.bars_held = 0
        self.closing = False

    def on_close(self, context, data):
        """Act on the bar that just closed; orders fill from the next open on."""
        if not self.read(context, data) or $IS_COLD:
            return
        bracket = self.bracket
        if bracket is not None and bracket.is_open:
            self.bars_held += 1
            if not self.closing:
                self.manage(bracket)
        elif (bracket is None or not bracket.is_pending) and data.can_trade(self.asset):
            self.bracket = None
            self.enter(context)

    def read(self, context, data):
        """Bring the series up to this bar; false when the symbol has none."""
        bar = $BAR
        if not (finite(*bar) and bar.volume > 0):
            return False
        today = session_number(context, data.current_session)
        if self.first is None:
            self.first = today + 1 - history_length(context, data, self)
            self.rebuild(data, today)
        elif today > self.newest and self.is_adjusted(data, today):
            self.rebuild(data, today)
        else:
            update(self.series, self.p, bar)
            self.bars += 1
        self.newest = today
        return True

    def is_adjusted(self, data, today):
        """Return whether a split or dividend changed the prices before this session."""
        closes = data.history(self.asset, "close", today - self.newest + 1, "1d")
        return not abs(closes.iloc[0] - self.series.close[0]) < ADJUSTMENT

    def rebuild(self, data, today):
        """Feed the series anew from history, which is adjusted as of now."""
        bars = lab.session_bars(data, self.asset, Bar._fields, today + 1 - self.first)
        self.series = Series(self.p)
        self.bars = 0
        for bar in map(Bar._make, bars):
            if finite(*bar):
                update(self.series, self.p, bar)
                self.bars += 1
'''

_LOOP = '''\
def session_number(context, session):
    """Return the place of a session in the calendar."""
    return context.trading_calendar.sessions.get_loc(session)


def history_length(context, data, trader):
    """Return how many sessions to read at the start: warm-up, settling, as far as they exist."""
    bars = 3 * warm_up(trader.series, trader.p) + SETTLING
    exist = session_number(context, data.current_session) + 1
    exist -= session_number(context, trader.asset.start_date)
    return min(exist, $SESSIONS)


def parameters(given):
    """Return the given values of parameters and the defaults of the others."""
    for name, value in given.items():
        if name not in DEFAULTS or type(DEFAULTS[name])(value) != value:
            raise ValueError(f"{name} = {value!r} fits no parameter of this strategy")
    return {**DEFAULTS, **{name: type(DEFAULTS[name])(given[name]) for name in given}}


def initialize(context):
    """Start one trader a symbol; each gets an equal share of the account."""$CHECK
    p = parameters(context.params)
    share = 1.0 / len(context.symbols)
    context.traders = [Trader(symbol(name), p, share) for name in context.symbols]


def handle_data(context, data):
    """Let every trader act on the bar that just closed."""
    for trader in context.traders:
        trader.on_close(context, data)
'''


_PLAIN = {
    "$IS_COLD": "self.bars <= warm_up(self.series, self.p)",
    "$BAR": "Bar(*(data.current(self.asset, field) for field in Bar._fields))",
    "$SESSIONS": "math.ceil(bars / lab.bars_per_session(data))",
    "$CHECK": "",
}
_WITH_LONGER_BARS = {
    "$IS_COLD": "not is_warm(self.series, self.p, self.bars)",
    "$BAR": (
        "Bar(*(data.current(self.asset, field) for field in Bar._fields[:5]), *lab.bar_time(data))"
    ),
    "$SESSIONS": (
        "max(math.ceil(bars / lab.bars_per_session(data)), longer_history(trader.series, data))"
    ),
    "$CHECK": """
    if context.timeframe not in TIMEFRAMES:
        raise ValueError(f"bars of {context.timeframe} do not make the longer bars read here")""",
}


def trader_source(contract: "StrategyContract", lowered: LoweredContract) -> str:
    """Return class ``Trader`` with ``initialize`` and ``handle_data``."""
    methods = [_enter(contract.risk_model, lowered.entries)]
    methods.append(_manage(contract, lowered.exits))
    if contract.risk_model.breakeven or contract.risk_model.trailing:
        methods.append(_tighten(contract.risk_model))
    text = "\n".join([_READ, *methods, "", _LOOP])
    for place, code in (_WITH_LONGER_BARS if lowered.longer else _PLAIN).items():
        text = text.replace(place, code)
    return text


def _enter(risk: "RiskModel", rules: tuple[LoweredRule, ...]) -> str:
    lines = [
        "    def enter(self, context):",
        '        """Open a position when a rule says so; a long one when both sides do."""',
        "        s, p = self.series, self.p",
        *_choose_side(rules),
    ]
    frozen = _frozen(risk)
    lines += [f"        {name} = {_distance(distance)}" for name, distance in frozen.items()]
    if frozen:
        names = ", ".join(frozen)
        least = names if len(frozen) == 1 else f"min({names})"
        lines += [f"        if not (finite({names}) and {least} > 0):", "            return"]
    lines += [
        "        equity = context.portfolio.portfolio_value * self.share",
        f"        amount = {_amount(risk)}",
        "        if amount < 1:",
        "            return",
    ]
    legs = [f"{leg}_distance={leg}" for leg in ("stop", "take") if leg in frozen]
    arguments = ["self.asset", "side * amount", *legs]
    lines += [
        *call("        self.bracket = lab.order_bracket(", arguments, ")"),
        "        self.bars_held = -1  # 0 on the bar of the fill",
        "        self.closing = False",
    ]
    if risk.breakeven or risk.trailing:
        lines += ["        self.amount = side * amount", "        self.entry_price = None"]
    if risk.breakeven:
        lines.append("        self.trigger = trigger")
    if risk.trailing:
        lines.append("        self.trail = trail")
    return "\n".join([*lines, ""])


def _choose_side(rules: tuple[LoweredRule, ...]) -> list[str]:
    lines: list[str] = []
    for side, sign in (("long", 1), ("short", -1)):
        calls = " or ".join(f"rule_{rule.id}(s, p)" for rule in rules if rule.side == side)
        if calls:
            lines += statement(f"        {'elif' if lines else 'if'} {calls}:")
            lines.append(f"            side = {sign}")
    return [*lines, "        else:", "            return"]


def _manage(contract: "StrategyContract", rules: tuple[LoweredRule, ...]) -> str:
    sides = {rule.side for rule in contract.entry_rules}
    head = "    def manage(self, bracket):"
    tightens = contract.risk_model.breakeven or contract.risk_model.trailing
    if not rules and not tightens:
        return f'{head}\n        """Leave the position to its bracket."""\n'
    lines = [head, '        """Close the position when a rule says so, else tighten its stop."""']
    if rules:
        lines.append("        s, p = self.series, self.p")
        if any(map(uses_position, rules)):
            lines.append("        position = (self.bars_held, bracket.entry_price)")
        if len(sides) == 1:
            lines += statement(f"        if {_leaves(rules, min(sides))}:")
        else:
            lines += [
                "        if bracket.amount > 0:",
                *statement(f"            leaves = {_leaves(rules, 'long')}"),
                "        else:",
                *statement(f"            leaves = {_leaves(rules, 'short')}"),
                "        if leaves:",
            ]
        lines += ["            bracket.close()", "            self.closing = True"]
        if tightens:
            lines.append("            return")
    if tightens:
        lines.append("        self.tighten(bracket)")
    return "\n".join([*lines, ""])


def _leaves(rules: tuple[LoweredRule, ...], side: str) -> str:
    calls = [
        f"rule_{rule.id}(s, p{', *position' if uses_position(rule) else ''})"
        for rule in rules
        if rule.side == side
    ]
    return " or ".join(calls) or "False"


def _tighten(risk: "RiskModel") -> str:
    lines = [
        "    def tighten(self, bracket):",
        '        """Move the stop towards the price, never away, from the next bar on."""',
        "        side = 1 if bracket.amount > 0 else -1",
        "        close, entry = self.series.close[0], bracket.entry_price",
        "        # Frozen distances follow splits: before the fill by shares, then by price.",
        "        if self.entry_price is None:",
        "            scale = self.amount / bracket.amount",
        "        else:",
        "            scale = entry / self.entry_price",
        "        self.entry_price = entry",
    ]
    names = [name for name, part in (("trigger", risk.breakeven), ("trail", risk.trailing)) if part]
    lines += [f"        self.{name} *= scale" for name in names]
    lines.append("        levels = []")
    if risk.breakeven:
        offset = (
            f" + side * {risk.breakeven.offset_ticks} * {TICK}"
            if risk.breakeven.offset_ticks
            else ""
        )
        lines += [
            "        if not above(self.trigger, side * (close - entry)):",
            f"            levels.append(to_tick(entry{offset}))",
        ]
    if risk.trailing:
        lines.append("        levels.append(to_tick(close - side * self.trail))")
    return "\n".join(
        [
            *lines,
            "        for level in levels:",
            "            stop = bracket.stop_level",
            "            if level > 0 and (stop is None or above(side * level, side * stop)):",
            "                bracket.move_stop(level)",
            "",
        ]
    )


def _frozen(risk: "RiskModel") -> dict[str, "Distance"]:
    found = {
        "stop": risk.stop,
        "take": risk.take,
        "trigger": risk.breakeven.trigger if risk.breakeven else None,
        "trail": risk.trailing.distance if risk.trailing else None,
    }
    return {name: distance for name, distance in found.items() if distance is not None}


def _distance(distance: "Distance") -> str:
    if distance.kind == "atr":
        return f"{_value(distance.mult)} * s.{distance.indicator}[0]"
    if distance.kind == "percent":
        return f"s.close[0] * {_value(distance.value)} / 100.0"
    return f"{_value(distance.value)} * {TICK}"


def _value(value: float | str) -> str:
    return f'p["{value[1:]}"]' if isinstance(value, str) else repr(value)


def _amount(risk: "RiskModel") -> str:
    sizing = risk.sizing
    if sizing.kind == "units":
        return str(sizing.units)
    if sizing.kind == "percent_equity":
        return f"math.floor(equity * {sizing.percent!r} / 100.0 / s.close[0])"
    # However close the stop, a position is never worth more than its share of the equity.
    shares = f"min(equity * {sizing.percent!r} / 100.0 / stop, equity / s.close[0])"
    step = sizing.unit_step
    return f"math.floor({shares})" if step == 1 else f"math.floor({shares} / {step}) * {step}"
