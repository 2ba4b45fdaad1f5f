"""The order log of a container: its digest, and whether it is a log that can exist."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Cancel, Order, OrderKind, Phase
from stratlab.evaluation.working_order import LEGS

Log = Sequence[Order | Cancel]

MAX_SHARES = 10**11
"""Largest order; zipline's own bound."""

MAX_LEVEL = 1e100
"""Largest price; far above it the arithmetic of splits and ticks overflows."""

MAX_ENTRIES = 500_000
"""Longest log that is looked at: seconds of work for a hostile one."""

# One for all lines: to make it takes as long as to use it.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_ORDER_FIELDS = tuple(field.name for field in fields(Order))
_CANCEL_FIELDS = tuple(field.name for field in fields(Cancel))
_LEVELS = {
    OrderKind.MARKET: (False, False),
    OrderKind.LIMIT: (True, False),
    OrderKind.STOP: (False, True),
    OrderKind.STOP_LIMIT: (True, True),
}


def orders_digest(log: Log) -> str:
    """Return the sha256 (hex) of the canonical log: one compact JSON object a line.

    Keys are sorted, floats are written in their shortest exact form, and every line ends with
    a newline; an empty log has the digest of no bytes.
    """
    digest = hashlib.sha256()
    for entry in log:
        is_order = isinstance(entry, Order)
        line = {
            name: getattr(entry, name) for name in (_ORDER_FIELDS if is_order else _CANCEL_FIELDS)
        }
        line["entry"] = "order" if is_order else "cancel"
        text = _ENCODER.encode(line)
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()


def find_impossible(
    log: Log, bars: Mapping[int, int], symbols: Collection[str], kind: CostModelKind
) -> str | None:
    """Return why no honest container can have written this log, or None.

    Before the open of a bar a container changes orders in ``initialize`` alone, hence before the
    first bar: in ``before_trading_start`` the strategy can see how the bar will close.

    Args:
        log: Orders and cancels in the order of placing.
        bars: Label of each bar of the trial's window -> its position.
        symbols: The trial's market set.
        kind: Cost model; ``zipline`` knows no bracket legs.
    """
    if len(log) > MAX_ENTRIES:
        return f"the log has {len(log)} entries, more than {MAX_ENTRIES}"
    placed: list[Order] = []
    last = (0, False)
    for entry in log:
        row, is_late = moment = (bars.get(entry.bar, -1), entry.phase is Phase.BAR)
        is_initial = row == 0 and entry.phase is Phase.BEFORE_OPEN
        problem: str | None
        if moment < last:
            problem = "goes back in time" if entry.bar in bars else "is outside the window"
        elif not is_late and not is_initial:
            problem = "is placed before or at an open, but not by initialize"
        elif isinstance(entry, Cancel):
            known = 1 <= entry.number <= len(placed)
            problem = None if known else "cancels what was never placed"
        else:
            problem = _order_problem(entry, placed, symbols)
            if problem is None and entry.kind in LEGS:
                problem = _leg_problem(entry, placed, kind)
            placed.append(entry)
        if problem is not None:
            return f"an impossible log: {entry!s:.300} {problem}"
        last = moment
    return None


def _order_problem(order: Order, placed: Sequence[Order], symbols: Collection[str]) -> str | None:
    levels = (order.limit_price, order.stop_price, order.distance)
    plain = (order.parent, order.distance) == (None, None)
    given = (order.limit_price is not None, order.stop_price is not None)
    return _first(
        (order.number != len(placed) + 1, "is not numbered in the order of placing"),
        (order.symbol not in symbols, "trades a symbol outside the market set"),
        (order.amount == 0 or abs(order.amount) > MAX_SHARES, "has no possible amount"),
        (
            not all(level is None or 0 <= level <= MAX_LEVEL for level in levels),
            "has no possible level",
        ),
        (
            order.kind not in LEGS and not (plain and given == _LEVELS[order.kind]),
            "has fields that do not fit its kind",
        ),
    )


def _leg_problem(leg: Order, placed: Sequence[Order], kind: CostModelKind) -> str | None:
    if kind is not CostModelKind.NEXT_OPEN:
        return "is a bracket leg, which this cost model has not"
    if leg.parent is None or not 1 <= leg.parent <= len(placed):
        return "is a bracket leg without its entry"
    entry = placed[leg.parent - 1]
    if leg.distance is None:
        fits = leg.kind is OrderKind.BRACKET_STOP and leg.stop_price is not None
    else:
        fits = leg.distance > 0 and leg.stop_price is None
    together = (leg.bar, leg.phase, leg.amount) == (entry.bar, entry.phase, -entry.amount)
    return _first(
        (entry.kind is not OrderKind.MARKET, "has a parent that is no market order"),
        (entry.symbol != leg.symbol, "has a parent of another symbol"),
        (not fits or leg.limit_price is not None, "has neither a distance nor a stop price alone"),
        (leg.distance is not None and not together, "has a distance, but not beside its entry"),
    )


def _first(*checks: tuple[bool, str]) -> str | None:
    return next((problem for failed, problem in checks if failed), None)
