"""One symbol for each rule of the next-open model: bars, what is ordered, and what must fill.

Every scenario has its own symbol in one market and all run in one trial. Bar 0 is where most
orders are placed; slippage is 10 basis points, the volume limit a tenth of 100,000 shares.
"""

from dataclasses import dataclass, field

from tests.runner.market import NO_BAR, Bar

BARS = 8
VOLUME = 100_000.0
S = 0.001
QUIET: Bar = (50.0, 50.2, 49.8, 50.0, VOLUME)


def bar(open_: float, high: float, low: float, volume: float = VOLUME) -> Bar:
    """A bar that closes where it opened."""
    return (open_, high, low, open_, volume)


@dataclass(frozen=True)
class Scenario:
    """``acts`` are statements by bar (``a`` is the asset, ``c`` the context's own namespace).

    Attributes:
        name: What it shows.
        bars: From bar 1 on; quiet bars before and after.
        acts: Bar -> statement of ``handle_data``.
        fills: (bar, amount, price) that must come out, in order.
        initial: Statement of ``initialize``.
        splits: (bar, ratio).
    """

    name: str
    bars: list[Bar]
    acts: dict[int, str]
    fills: list[tuple[int, int, float]]
    initial: str = ""
    splits: list[tuple[int, float]] = field(default_factory=list)

    @property
    def all_bars(self) -> list[Bar]:
        """Every bar of the symbol."""
        return [QUIET, *self.bars, *[QUIET] * (BARS - 1 - len(self.bars))]


def entry(
    amount: int = 100, stop: float | None = None, take: float | None = None
) -> dict[int, str]:
    """Place a bracket at bar 0."""
    return {0: f"c.b = lab.order_bracket(a, {amount}, {stop}, {take})"}


# The rounding of a level is part of the rule: 4705 * 0.01 is not quite 47.05.
SPLIT_LEVEL = round(4705 * 0.01 * 0.5, 2)
LONG = 50 * (1 + S)
SHORT = 50 * (1 - S)

SCENARIOS = [
    Scenario("market buy fills at the next open", [bar(50, 51, 49)], {0: "order(a, 100)"},
             [(1, 100, LONG)]),
    Scenario("market sell fills at the next open", [bar(50, 51, 49)], {0: "order(a, -100)"},
             [(1, -100, SHORT)]),
    Scenario("limit buy touched fills at the limit", [bar(50, 51, 47)],
             {0: "order(a, 100, limit_price=48)"}, [(1, 100, 48.0)]),
    Scenario("limit buy below its limit at the open fills there", [bar(47, 51, 46)],
             {0: "order(a, 100, limit_price=48)"}, [(1, 100, 47.0)]),
    Scenario("limit buy waits until it is touched", [bar(50, 51, 48.01), bar(50, 51, 48)],
             {0: "order(a, 100, limit_price=48)"}, [(2, 100, 48.0)]),
    Scenario("limit sell touched fills at the limit", [bar(50, 53, 49)],
             {0: "order(a, -100, limit_price=52)"}, [(1, -100, 52.0)]),
    Scenario("limit sell above its limit at the open fills there", [bar(54, 55, 53)],
             {0: "order(a, -100, limit_price=52)"}, [(1, -100, 54.0)]),
    Scenario("stop buy touched fills at the stop with slippage", [bar(50, 53, 49)],
             {0: "order(a, 100, stop_price=52)"}, [(1, 100, 52 * (1 + S))]),
    Scenario("stop buy above its stop at the open fills there", [bar(54, 55, 53)],
             {0: "order(a, 100, stop_price=52)"}, [(1, 100, 54 * (1 + S))]),
    Scenario("stop sell touched fills at the stop with slippage", [bar(50, 51, 47)],
             {0: "order(a, -100, stop_price=48)"}, [(1, -100, 48 * (1 - S))]),
    Scenario("stop sell below its stop at the open fills there", [bar(45, 46, 44)],
             {0: "order(a, -100, stop_price=48)"}, [(1, -100, 45 * (1 - S))]),
    Scenario("stop limit is a limit order from the bar after the touch",
             [bar(50, 52.5, 49), bar(52.4, 53, 52)],
             {0: "order(a, 100, limit_price=53, stop_price=52)"}, [(2, 100, 52.4)]),
    Scenario("stop limit waits for its limit", [bar(50, 52.5, 49), bar(54, 55, 53.5),
             bar(54, 55, 52.9)], {0: "order(a, 100, limit_price=53, stop_price=52)"},
             [(3, 100, 53.0)]),
    Scenario("stop limit sell mirrors it", [bar(50, 51, 47.5), bar(46, 48.2, 45)],
             {0: "order(a, -100, limit_price=48, stop_price=48)"}, [(2, -100, 48.0)]),
    Scenario("order beyond the volume limit waits whole", [bar(50, 51, 49),
             bar(51, 52, 50, 2 * VOLUME)], {0: "order(a, 10_001)"}, [(2, 10_001, 51 * (1 + S))]),
    Scenario("order at the volume limit fills", [bar(50, 51, 49)], {0: "order(a, 10_000)"},
             [(1, 10_000, LONG)]),
    Scenario("no bar no fill", [NO_BAR, bar(51, 52, 50)], {0: "order(a, 100)"},
             [(2, 100, 51 * (1 + S))]),
    Scenario("orders of one bar do not share the volume", [bar(50, 51, 49)],
             {0: "order(a, 9_000); order(a, 8_000)"}, [(1, 9_000, LONG), (1, 8_000, LONG)]),
    Scenario("stop leg fills on the entry bar", [bar(50, 51, 45)],
             entry(stop=3.0, take=4.0), [(1, 100, LONG), (1, -100, 47.05 * (1 - S))]),
    Scenario("take leg fills on the entry bar without slippage", [bar(50, 52, 49)],
             entry(stop=3.0, take=1.0), [(1, 100, LONG), (1, -100, 51.05)]),
    Scenario("both touched and the high is nearer so the take leg fills", [bar(50, 51.2, 47)],
             entry(stop=1.0, take=1.0), [(1, 100, LONG), (1, -100, 51.05)]),
    Scenario("both touched and the low is nearer so the stop leg fills", [bar(50, 53, 48.5)],
             entry(stop=1.0, take=1.0), [(1, 100, LONG), (1, -100, 49.05 * (1 - S))]),
    Scenario("both touched at equal distance goes low first", [bar(50, 52, 48)],
             entry(stop=1.0, take=1.0), [(1, 100, LONG), (1, -100, 49.05 * (1 - S))]),
    Scenario("short both touched and the high is nearer so the stop leg fills",
             [bar(50, 51.2, 47)], entry(-100, stop=1.0, take=1.0),
             [(1, -100, SHORT), (1, 100, 50.95 * (1 + S))]),
    Scenario("short both touched at equal distance goes low first", [bar(50, 52, 48)],
             entry(-100, stop=1.0, take=1.0), [(1, -100, SHORT), (1, 100, 48.95)]),
    Scenario("gap below the stop level fills at the open with slippage",
             [bar(50, 51, 49), bar(40, 41, 39)], entry(stop=3.0, take=4.0),
             [(1, 100, LONG), (2, -100, 40 * (1 - S))]),
    Scenario("gap above the take level fills at the open", [bar(50, 51, 49), bar(60, 61, 59)],
             entry(stop=3.0, take=4.0), [(1, 100, LONG), (2, -100, 60.0)]),
    Scenario("short gap above the stop level fills at the open with slippage",
             [bar(50, 51, 49), bar(60, 61, 59)], entry(-100, stop=3.0, take=4.0),
             [(1, -100, SHORT), (2, 100, 60 * (1 + S))]),
    Scenario("leg beyond the volume limit waits", [bar(50, 51, 49, 2 * VOLUME),
             bar(50, 51, 46), bar(46, 47, 45, 2 * VOLUME)], entry(15_000, stop=3.0),
             [(1, 15_000, LONG), (3, -15_000, 46 * (1 - S))]),
    Scenario("leg sleeps until its entry has filled", [NO_BAR, bar(40, 41, 39)],
             entry(stop=3.0, take=4.0), [(2, 100, 40 * (1 + S)), (3, -100, 50.0)]),
    Scenario("level is rounded to the nearest cent", [bar(50.01, 51, 46)], entry(stop=3.004),
             [(1, 100, 50.01 * (1 + S)), (1, -100, 47.06 * (1 - S))]),
    Scenario("bracket without legs only enters", [bar(50, 51, 49)],
             entry() | {3: "assert c.b.is_open and c.b.stop_level is None; c.b.close()"},
             [(1, 100, LONG), (4, -100, SHORT)]),
    Scenario("moved stop rests at its level", [bar(50, 51, 49), bar(50, 51, 49.55),
             bar(50, 51, 49.4)],
             entry(stop=3.0, take=4.0) | {1: "c.b.move_stop(49.504)",
             2: "assert c.b.stop_level == 49.5; c.b.move_stop(49.5)",
             3: "assert not c.b.is_open and not c.b.is_pending and c.b.take_level is None"},
             [(1, 100, LONG), (3, -100, 49.5 * (1 - S))]),
    Scenario("stop can be added later", [bar(50, 51, 49), bar(50, 51, 48)],
             entry(take=4.0) | {1: "c.b.move_stop(48.5)"},
             [(1, 100, LONG), (2, -100, 48.5 * (1 - S))]),
    Scenario("stop can be moved after the entry bar",
             [bar(50, 51, 49), bar(50, 51, 48)], entry(stop=3.0) | {1: "c.b.move_stop(48.5)"},
             [(1, 100, LONG), (2, -100, 48.5 * (1 - S))]),
    Scenario("close leaves at the next open and cancels the legs",
             [bar(50, 51, 49), bar(50, 51, 49), bar(49, 60, 40)],
             entry(stop=3.0, take=4.0) | {2: "c.b.close(); assert c.b.is_open; c.b.close()",
             3: "assert not c.b.is_open; c.b.close()"},
             [(1, 100, LONG), (3, -100, 49 * (1 - S))]),
    Scenario("close of a pending entry cancels it and its legs", [NO_BAR, bar(50, 60, 40)],
             entry(stop=3.0, take=4.0) | {1: "assert c.b.is_pending; c.b.close(); "
             "assert not c.b.is_pending; c.b.close()"}, []),
    Scenario("entry cancelled by hand drops its legs", [NO_BAR, bar(50, 60, 40)],
             entry(stop=3.0, take=4.0) | {1: "cancel_order(c.b._state.entry.id)",
             3: "assert not get_open_orders(a)"}, []),
    Scenario("leg cancelled by hand stays away", [bar(50, 51, 49), bar(50, 51, 45)],
             entry(stop=3.0, take=4.0) | {1: "cancel_order(c.b._state.stop.id)"},
             [(1, 100, LONG)]),
    Scenario("split between placing and filling scales the distance", [bar(25, 26, 22)],
             entry(stop=4.0), [(1, 200, 25 * (1 + S)), (1, -200, 23.03 * (1 - S))],
             splits=[(1, 0.5)]),
    Scenario("split while the entry waits scales the distance once",
             [NO_BAR, NO_BAR, bar(25, 26, 22)], entry(stop=4.0),
             [(3, 200, 25 * (1 + S)), (3, -200, 23.03 * (1 - S))], splits=[(2, 0.5)]),
    Scenario("split of a resting leg scales its level", [bar(50, 51, 49), bar(25, 26, 24),
             bar(25, 25.5, 23)],
             entry(stop=3.0, take=4.0) | {
             2: f"assert c.b.stop_level == {SPLIT_LEVEL}; "
             "assert c.b.entry_price == 50 * 1.001 / 2; assert c.b.amount == 100"},
             [(1, 100, LONG), (3, -200, SPLIT_LEVEL * (1 - S))], splits=[(2, 0.5)]),
    Scenario("reverse split that empties an entry drops its legs", [NO_BAR, bar(500, 600, 400)],
             entry(3, stop=3.0) | {2: "assert not get_open_orders(a) and not c.b.is_pending"},
             [], splits=[(1, 10.0)]),
    Scenario("cancel prevents the fill", [bar(50, 51, 49), bar(50, 51, 45)],
             {0: "c.id = order(a, 100, limit_price=48)", 1: "cancel_order(c.id)"}, []),
    Scenario("order of initialize fills in the first bar", [bar(51, 52, 50)], {},
             [(0, 100, LONG)], initial="batch_market_order(pd.Series({a: 100}))"),
    Scenario("order of initialize can be cancelled there", [bar(51, 52, 50)], {}, [],
             initial="cancel_order(batch_market_order(pd.Series({a: 100}))[0])"),
    Scenario("two brackets of one symbol keep their own prices",
             [bar(50, 51, 49), bar(52, 53, 51), bar(52, 53, 48.9)],
             entry(stop=3.0) | {1: "c.d = lab.order_bracket(a, 300, 3.0)",
             2: "assert c.b.entry_price == 50 * 1.001 and c.d.entry_price == 52 * 1.001"},
             [(1, 100, LONG), (2, 300, 52 * (1 + S)), (3, -300, 49.05 * (1 - S))]),
    Scenario("bracket without legs beside a larger opposite order keeps its price, side and size",
             [bar(50, 51, 49), bar(50, 51, 49), bar(50, 51, 48)],
             {0: "c.b = lab.order_bracket(a, 100); order(a, -300)",
             1: "assert c.b.is_open and c.b.entry_price == 50 * 1.001; c.b.move_stop(48.5)",
             2: "assert c.b.stop_level == 48.5", 3: "assert not c.b.is_open"},
             [(1, 100, LONG), (1, -300, SHORT), (3, -100, 48.5 * (1 - S))]),
    Scenario("short bracket beside a larger opposite order keeps its side and size",
             [bar(50, 51, 49), bar(50, 51, 49), bar(50, 52, 49)],
             {0: "c.b = lab.order_bracket(a, -100); order(a, 300)",
             1: "assert c.b.is_open and c.b.entry_price == 50 * 0.999; c.b.move_stop(51.5)"},
             [(1, -100, SHORT), (1, 300, LONG), (3, 100, 51.5 * (1 + S))]),
    Scenario("close sells the shares of the bracket alone", [bar(50, 51, 49), bar(50, 51, 49)],
             {0: "c.b = lab.order_bracket(a, 100); order(a, 50)", 1: "c.b.close()",
             2: "assert not c.b.is_open"},
             [(1, 100, LONG), (1, 50, LONG), (2, -100, SHORT)]),
    Scenario("bracket is open though the position is flat", [bar(50, 51, 49), bar(50, 51, 49)],
             {0: "c.b = lab.order_bracket(a, 100); order(a, -100)",
             1: "assert not context.portfolio.positions[a].amount and c.b.is_open; c.b.close()",
             2: "assert not c.b.is_open"},
             [(1, 100, LONG), (1, -100, SHORT), (2, -100, SHORT)]),
    Scenario("two brackets without legs close one after the other",
             [bar(50, 51, 49), bar(50, 51, 49), bar(50, 51, 49)],
             {0: "c.b = lab.order_bracket(a, 100); c.d = lab.order_bracket(a, -40)",
             1: "c.b.close()",
             2: "assert not c.b.is_open and c.d.is_open and c.d.entry_price == 50 * 0.999; "
             "c.d.close()"},
             [(1, 100, LONG), (1, -40, SHORT), (2, -100, SHORT), (3, 40, LONG)]),
    Scenario("bracket without legs follows splits that nobody looked at",
             [bar(50, 51, 49), bar(25, 26, 24), bar(50, 51, 49), bar(50, 51, 49)],
             {0: "c.b = lab.order_bracket(a, 101); order(a, 8)",
             4: "assert c.b.entry_price == 50 * 1.001; c.b.close()"},
             [(1, 101, LONG), (1, 8, LONG), (5, -101, SHORT)], splits=[(2, 0.5), (3, 2.0)]),
    Scenario("bracket without legs rounds its own shares down in a reverse split",
             [bar(50, 51, 49), bar(100, 101, 99), bar(100, 101, 99)],
             {0: "c.b = lab.order_bracket(a, 101); order(a, 101)",
             2: "assert c.b.entry_price == 50 * 1.001 * 2; c.b.close()"},
             [(1, 101, LONG), (1, 101, LONG), (3, -50, 100 * (1 - S))], splits=[(2, 2.0)]),
    Scenario("bracket that a reverse split empties is not open",
             [bar(50, 51, 49), bar(500, 510, 490)],
             {0: "c.b = lab.order_bracket(a, 3); order(a, 100)", 1: "assert c.b.is_open",
             2: "assert not c.b.is_open; c.b.close()"},
             [(1, 3, LONG), (1, 100, LONG)], splits=[(2, 10.0)]),
    Scenario("moved stop of a bracket without legs follows a later split",
             [bar(50, 51, 49), bar(50, 51, 49), bar(25, 26, 24.1), bar(25, 26, 23.9)],
             {0: "c.b = lab.order_bracket(a, 101); order(a, -500)", 1: "c.b.move_stop(48)",
             3: "assert c.b.stop_level == 24; c.b.move_stop(23.95)"},
             [(1, 101, LONG), (1, -500, SHORT), (4, -202, 23.95 * (1 - S))], splits=[(3, 0.5)]),
]  # fmt: skip


def symbol_of(number: int) -> str:
    """Symbol of a scenario."""
    return f"S{number:02}"


def strategy() -> str:
    """One strategy that runs all scenarios."""
    initial = {number: each.initial for number, each in enumerate(SCENARIOS) if each.initial}
    lines = [
        "from types import SimpleNamespace",
        "import pandas as pd",
        "from zipline.api import *",
        "from stratlab_runner import lab",
        "def initialize(context):",
        "    context.n = -1",
        "    context.own = {s: SimpleNamespace() for s in context.symbols}",
        *(f"    {_act(number, act)}" for number, act in initial.items()),
        "def handle_data(context, data):",
        "    context.n += 1",
    ]
    for number, scenario in enumerate(SCENARIOS):
        for at, act in scenario.acts.items():
            lines += [f"    if context.n == {at}:", f"        {_act(number, act)}"]
    return "\n".join(lines) + "\n"


def _act(number: int, act: str) -> str:
    name = symbol_of(number)
    return f"a = symbol({name!r}); c = context.own[{name!r}]; {act}"
