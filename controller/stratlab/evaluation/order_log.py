"""The order log of a container: its digest, and whether it is a log that can exist."""

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Cancel, Order, OrderKind, Phase
from stratlab.evaluation.working_order import LEGS

Log = Sequence[Order | Cancel]

MAX_SHARES = 10**11
"""Largest order; zipline's own bound."""

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
        line = {"entry": "order" if isinstance(entry, Order) else "cancel", **asdict(entry)}
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()


def find_impossible(
    log: Log, bars: Mapping[int, int], symbols: Collection[str], kind: CostModelKind
) -> str | None:
    """Return why no honest container can have written this log, or None.

    Args:
        log: Orders and cancels in the order of placing.
        bars: Label of each bar of the trial's window -> its position.
        symbols: The trial's market set.
        kind: Cost model; ``zipline`` knows no bracket legs.
    """
    placed: list[Order] = []
    legs: dict[tuple[int, OrderKind], int] = {}
    cancelled: set[int] = set()
    last = (-1, False)
    for entry in log:
        if entry.bar not in bars:
            return f"entry {entry.number} is stamped {entry.bar}, outside the trial's window"
        moment = (bars[entry.bar], entry.phase is Phase.BAR)
        if moment < last:
            return f"entry {entry.number} at {entry.bar} goes back in time"
        last = moment
        if isinstance(entry, Cancel):
            if not 1 <= entry.number <= len(placed):
                return f"cancel of order {entry.number}, which was never placed"
            cancelled.add(entry.number)
            continue
        if entry.number != len(placed) + 1:
            return f"order {entry.number} follows order {len(placed)}"
        problem = _order_problem(entry, symbols)
        if problem is None and entry.kind in LEGS:
            problem = _leg_problem(entry, placed, kind)
            before = legs.get((entry.parent or 0, entry.kind))
            if problem is None and before is not None and before not in cancelled:
                problem = f"order {before} is the same leg already"
            legs[entry.parent or 0, entry.kind] = entry.number
        if problem is not None:
            return f"order {entry.number}: {problem}"
        placed.append(entry)
    return None


def _order_problem(order: Order, symbols: Collection[str]) -> str | None:
    levels = (order.limit_price, order.stop_price, order.distance)
    fits = order.kind in LEGS or (
        (order.parent, order.distance) == (None, None)
        and (order.limit_price is not None, order.stop_price is not None) == _LEVELS[order.kind]
    )
    return _first(
        (order.symbol not in symbols, f"unknown symbol {order.symbol!r}"),
        (order.amount == 0 or abs(order.amount) > MAX_SHARES, f"amount {order.amount}"),
        (not all(level is None or 0 <= level < math.inf for level in levels), f"levels {levels}"),
        (not fits, f"levels, parent or distance do not fit a {order.kind} order"),
    )


def _leg_problem(leg: Order, placed: Sequence[Order], kind: CostModelKind) -> str | None:
    if kind is not CostModelKind.NEXT_OPEN:
        return f"the cost model {kind} knows no bracket legs"
    if leg.parent is None or not 1 <= leg.parent <= len(placed):
        return "a bracket leg without its entry"
    entry = placed[leg.parent - 1]
    if leg.distance is None:
        fits = leg.kind is OrderKind.BRACKET_STOP and leg.stop_price is not None
    else:
        fits = leg.distance > 0 and leg.stop_price is None
    together = (leg.bar, leg.phase, leg.amount) == (entry.bar, entry.phase, -entry.amount)
    return _first(
        (entry.kind is not OrderKind.MARKET, f"its parent {entry.number} is no market order"),
        (entry.symbol != leg.symbol, f"its entry trades {entry.symbol}"),
        (entry.amount * leg.amount > 0, "it does not close its entry"),
        (not fits or leg.limit_price is not None, "a leg has either a distance or a stop price"),
        (leg.distance is not None and not together, "a distance comes with the entry alone"),
    )


def _first(*checks: tuple[bool, str]) -> str | None:
    return next((problem for failed, problem in checks if failed), None)
