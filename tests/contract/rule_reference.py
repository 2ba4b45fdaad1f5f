"""Rules and indicators of a contract interpreted once more, slowly, over whole numpy arrays.

Nothing is shared with the compiler but the parser and the static warm-up.
"""

import math
import re
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, pairwise

import numpy as np
from tests.contract.indicator_reference import indicator

from stratlab.contract import nodes
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.language import parse_rule
from stratlab.contract.lowering import longer_warm_up, resolved
from stratlab.contract.model import StrategyContract

MONDAY = date(1969, 12, 29)
EPSILON = 1e-10


@dataclass
class Clock:
    """When each bar of a world ends: its session, and the minute of the session."""

    days: list[date]
    minutes: list[int] = field(default_factory=list)
    week: int = 5

    def period(self, row: int, timeframe: str) -> tuple:
        """Return what is equal for bars of one longer bar."""
        digits, unit = re.fullmatch(r"(\d+)([mhdwM])", timeframe).groups()
        day, count = self.days[row], int(digits)
        if unit == "M":
            return ((day.year * 12 + day.month - 1) // count,)
        if unit == "w":
            return ((day - MONDAY).days // 7 // count,)
        if unit == "d":
            days = np.busday_count(MONDAY, day) if self.week == 5 else (day - MONDAY).days
            return (days // count,)
        length = count * (60 if unit == "h" else 1)
        return day, math.ceil(self.minutes[row] / length)

    def join(self, bars: dict, rows: list[int], timeframe: str) -> tuple[dict, np.ndarray]:
        """Return the longer bars, and for each bar how many of them have ended."""
        groups = [
            [at for at, _ in group]
            for _, group in groupby(enumerate(rows), lambda pair: self.period(pair[1], timeframe))
        ]
        # The first one may be a part, and the newest has not ended.
        ended = np.concatenate(
            [np.full(len(group), max(place - 1, 0)) for place, group in enumerate(groups)]
        )
        whole = [slice(group[0], group[-1] + 1) for group in groups[1:-1]]
        joined = {
            "open": [bars["open"][part][0] for part in whole],
            "high": [bars["high"][part].max() for part in whole],
            "low": [bars["low"][part].min() for part in whole],
            "close": [bars["close"][part][-1] for part in whole],
            "volume": [bars["volume"][part].sum() for part in whole],
        }
        return {name: np.array(values, dtype=float) for name, values in joined.items()}, ended


class UndefinedError(Exception):
    """A part of a rule has no value at this bar."""


class Series:
    """All series of a contract on given bars, and the rules over them."""

    def __init__(
        self,
        contract: StrategyContract,
        parameters: dict,
        bars: dict,
        rows: list[int],
        clock: Clock | None,
    ) -> None:
        self.parameters = parameters
        self.known = dict(bars)
        for item in contract.indicators:
            self.known |= self._computed(item, bars)
        self.ended = {}
        for timeframe in longer_warm_up(contract, parameters):
            joined, ended = clock.join(bars, rows, timeframe)
            self.ended[timeframe] = ended
            # Before the first one has ended there is none.
            self.known |= {
                f"{name}@{timeframe}": np.append(values, math.nan)[ended - 1]
                for name, values in joined.items()
            }
            for item in contract.indicators:
                for name, values in self._computed(item, joined).items():
                    seen = np.append(values, math.nan)[ended - 1]
                    self.known[f"{name}@{timeframe}"] = seen
                    if item.timeframe == timeframe:
                        self.known[name] = seen

    def _computed(self, item, bars: dict) -> dict[str, np.ndarray]:
        params = resolved(item, self.parameters)
        if not len(bars["close"]):
            outputs = REGISTRY[item.name].outputs or ("",)
            found = {output: np.empty(0) for output in outputs}
        else:
            found = indicator(item.name, item.source, bars, params)
        return {f"{item.id}.{name}" if name else item.id: found[name] for name in found}

    def rule(self, text: str, at: int, position: dict | None = None) -> bool:
        try:
            return self._evaluate(parse_rule(text), at, position or {})
        except UndefinedError:
            return False

    def _evaluate(self, node, at: int, position: dict):  # noqa: C901, PLR0911 - one case per node
        # Every operand is evaluated, so that an undefined one is found wherever it stands.
        match node:
            case nodes.Number(value=value) | nodes.Truth(value=value):
                return value
            case nodes.Parameter(name=name):
                return self.parameters[name]
            case nodes.Reference(name=name) if name in nodes.POSITION:
                return position[name]
            case nodes.Reference():
                name = f"{node.name}.{node.output}" if node.output else node.name
                name += f"@{node.timeframe}" if node.timeframe else ""
                bar = at - node.offset
                return self._defined(self.known[name][bar] if bar >= 0 else math.nan)
            case nodes.Negative(operand=operand):
                return -self._evaluate(operand, at, position)
            case nodes.Not(operand=operand):
                return not self._evaluate(operand, at, position)
            case nodes.Junction(operator=operator, operands=operands):
                values = [self._evaluate(operand, at, position) for operand in operands]
                return all(values) if operator == "and" else any(values)
            case nodes.Arithmetic(operator=operator, left=left, right=right):
                a, b = self._evaluate(left, at, position), self._evaluate(right, at, position)
                if operator == "/":
                    return self._defined(a / b if b else math.nan)
                return self._defined({"+": a + b, "-": a - b, "*": a * b}[operator])
            case nodes.Comparison(operator=operator, left=left, right=right):
                a, b = self._evaluate(left, at, position), self._evaluate(right, at, position)
                above, below = a - b > EPSILON, b - a > EPSILON
                return {">": above, "<": below, "<=": not above, ">=": not below}[operator]
            case nodes.Call(function=function, arguments=arguments):
                return self._call(function, arguments, at, position)
        raise AssertionError(node)

    def _call(self, function: str, arguments: tuple, at: int, position: dict):
        def value(argument: int, back: int = 0):
            node = arguments[argument]
            # A number is the same at every bar; entry_price is one.
            steady = not any(
                isinstance(part, nodes.Reference) and part.name not in nodes.POSITION
                for part in nodes.walk(node)
            )
            return self._evaluate(node, at if steady else at - back, position)

        if function == "abs":
            return abs(value(0))
        if function in ("min", "max"):
            return {"min": min, "max": max}[function](
                value(place) for place in range(len(arguments))
            )
        if function in nodes.CROSSES:
            now, before = value(0) - value(1), value(0, 1) - value(1, 1)
            sign = 1 if function == "crosses_above" else -1
            return sign * now > EPSILON and not sign * before > EPSILON
        length = int(value(1))
        if function == "change":
            return value(0) - value(0, length)
        if function in ("highest", "lowest"):
            seen = [value(0, back) for back in range(length)]
            return max(seen) if function == "highest" else min(seen)
        seen = [value(0, back) for back in range(length + 1)]
        sign = 1 if function == "rising" else -1
        return all(sign * (new - old) > EPSILON for new, old in pairwise(seen))

    def _defined(self, value: float) -> float:
        if not math.isfinite(value):
            raise UndefinedError
        return float(value)
