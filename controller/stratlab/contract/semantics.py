"""What the words of a rule mean at run time; stdlib only, for the compiler copies it verbatim.

A series is a deque with the newest value first, so ``close[1]`` reads as in the rule language.
Anything undefined is NaN, and NaN in any part makes the whole result NaN: a rule is guarded by
:func:`finite` over all that it reads, and false when one of them is not.
"""

import math
from collections import deque
from itertools import islice

NAN = math.nan
EPSILON = 1e-10
TICK = 0.01


def buffer(length: int) -> deque[float]:
    """Return an undefined series that remembers ``length`` bars."""
    return deque([NAN] * length, maxlen=length)


def finite(*values: float) -> bool:
    """Return whether every value is defined."""
    return all(map(math.isfinite, values))


def above(left: float, right: float) -> bool:
    """Return whether ``left`` is greater by more than rounding errors can explain."""
    return left - right > EPSILON


def ratio(dividend: float, divisor: float) -> float:
    """Return the quotient, undefined when a part is or the divisor is zero."""
    return dividend / divisor if divisor != 0.0 and finite(dividend, divisor) else NAN


def magnitude(value: float) -> float:
    """Return the absolute value, undefined when the value is."""
    return abs(value) if math.isfinite(value) else NAN


def largest(*values: float) -> float:
    """Return the greatest value, undefined when one is."""
    return max(values) if finite(*values) else NAN


def smallest(*values: float) -> float:
    """Return the least value, undefined when one is."""
    return min(values) if finite(*values) else NAN


def recent(series: deque[float], length: int) -> tuple[float, ...]:
    """Return the newest ``length`` values, newest first."""
    return tuple(islice(series, length))


def highest(series: deque[float], length: int) -> float:
    """Return the greatest of the newest ``length`` values."""
    return largest(*recent(series, length))


def lowest(series: deque[float], length: int) -> float:
    """Return the least of the newest ``length`` values."""
    return smallest(*recent(series, length))


def change(series: deque[float], length: int) -> float:
    """Return the newest value minus the one ``length`` bars before."""
    return series[0] - series[length]


def rising(series: deque[float], length: int) -> bool:
    """Return whether each of the newest ``length`` values is above the one before it."""
    return all(above(series[bar], series[bar + 1]) for bar in range(length))


def falling(series: deque[float], length: int) -> bool:
    """Return whether each of the newest ``length`` values is below the one before it."""
    return all(above(series[bar + 1], series[bar]) for bar in range(length))


def to_tick(price: float) -> float:
    """Return the price rounded to the tick as every target rounds it."""
    return math.floor(price / TICK + 0.5) * TICK
