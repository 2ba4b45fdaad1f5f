"""Every series that a contract's rules read, for all points: each distinct one exists once."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract import nodes
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.language import format_rule
from stratlab.contract.lowering import flat_name, window
from stratlab.contract.vectorised import windows
from stratlab.contract.vectorised.evaluator import Evaluator, lead
from stratlab.contract.vectorised.indicators import Column, Family, Indicators, knows_its_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from stratlab.contract.lowering import LoweredContract, Stream
    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.frames import Frame
    from stratlab.contract.vectorised.points import Points


@final
@dataclass(frozen=True, slots=True)
class Series:
    """One name's values.

    Attributes:
        values: Distinct series, shape (C, M).
        column: Which of them is each point's, shape (P,).
    """

    values: "Floats"
    column: "Numbers"


@final
class SeriesTable:
    """All series of a contract over one symbol's bars.

    Args:
        lowered: The contract's lowered form.
        points: Parameter points, P of them.
        frames: Longer timeframe -> its bars; "" -> the strategy's own, with M places.
        place: Place of each traded bar, shape (bars,).
    """

    def __init__(
        self,
        lowered: "LoweredContract",
        points: "Points",
        frames: "Mapping[str, Frame]",
        place: "Numbers",
    ) -> None:
        self._points, self.stretches, self.place = points, frames[""].stretches, place
        self._known: dict[str, Series] = {}
        for name in lowered.depths:
            price, _, timeframe = name.partition("__")
            if price in nodes.PRICES:
                self._known[name] = self._price(price, frames[timeframe])
        for timeframe, frame in frames.items():
            streams = [each for each in lowered.streams if each.timeframe == timeframe]
            self._add_indicators(streams, frame)
        rules = [rule.expression for rule in (*lowered.entries, *lowered.exits)]
        for name, expression in lowered.hoisted.items():
            self._add_windows(expression)
            self._add_computed(name, expression)
        for expression in rules:
            self._add_windows(expression)

    def __getitem__(self, name: str) -> Series:
        return self._known[name]

    def combinations(
        self, expressions: "Iterable[nodes.Expression]"
    ) -> tuple["Numbers", "Numbers"]:
        """Return which points differ in anything that expressions read.

        Returns:
            A point for each combination, shape (U,), and the combination of each point, (P,).
        """
        keys = {key for expression in expressions for key in self._inputs(expression)}
        return distinct(len(self._points), [self._key(key) for key in sorted(keys)])

    def evaluator(
        self,
        points: "Numbers",
        lead: int,
        position: "Mapping[str, float] | None" = None,
        *,
        notes_ties: bool = False,
    ) -> Evaluator:
        """Return an evaluator over all places from ``lead`` on, one row for each given point."""
        constant = {name: np.array([[value]]) for name, value in (position or {}).items()}
        return Evaluator(_Rows(self, points, lead), constant, notes_ties=notes_ties)

    def gathered(
        self,
        points: "Numbers",
        places: "Numbers",
        bars_held: "Floats",
        entry_price: "Floats",
    ) -> Evaluator:
        """Return an evaluator at chosen places, shape (points, places of each)."""
        position = {"bars_held": bars_held, "entry_price": entry_price}
        return Evaluator(_Gathered(self, points, places), position)

    def parameter(self, name: str, points: "Numbers") -> "Floats":
        """Return a parameter's values at some points, shape (points, 1)."""
        return self._points[name][points][:, None].astype(np.float64)

    def _key(self, name: str) -> "NDArray[np.generic]":
        return self._points[name[1:]] if name.startswith("$") else self._known[name].column

    def _inputs(self, expression: nodes.Expression) -> "Iterable[str]":
        pending = [expression]
        while pending:
            node = pending.pop()
            if isinstance(node, nodes.Call) and node.function in (*nodes.TRENDS, *nodes.WINDOWS):
                yield format_rule(node)
                continue
            if isinstance(node, nodes.Parameter):
                yield f"${node.name}"
            elif isinstance(node, nodes.Reference) and node.name not in nodes.POSITION:
                yield flat_name(node)
            pending.extend(nodes.children(node))

    def _price(self, name: str, frame: "Frame") -> Series:
        values = frame.stretches.take(frame.adjusted[name])
        if frame.shows is None:
            return Series(values[None], np.zeros(len(self._points), dtype=np.intp))
        chosen, combination = distinct(len(self._points), [frame.starts])
        known = frame.stretches.bar >= frame.starts[chosen][:, None]
        return Series(frame.shown(np.where(known, values, np.nan)), combination)

    def _add_indicators(self, streams: "Sequence[Stream]", frame: "Frame") -> None:
        wanted: dict[Family, dict[Column, int]] = defaultdict(dict)
        columns = {}
        for stream in streams:
            item = stream.indicator
            # Own bars are looked at only when every window is full.
            is_free = frame.shows is None and not knows_its_start(item.name)
            starts = np.zeros_like(frame.starts) if is_free else frame.starts
            given = [
                self._points.resolved(item.params[name]) for name in REGISTRY[item.name].parameters
            ]
            chosen, combination = distinct(len(self._points), [*given, starts])
            known = wanted[Family(item.name, item.source)]
            places = [
                known.setdefault(
                    (tuple(value[point].item() for value in given), int(starts[point])), len(known)
                )
                for point in chosen.tolist()
            ]
            columns[stream.name] = np.array(places, dtype=np.intp)[combination]
        families = {family: list(known) for family, known in wanted.items()}
        found = Indicators(frame, families)
        for stream in streams:
            item = stream.indicator
            for output in REGISTRY[item.name].outputs or ("",):
                values = frame.shown(found.values[Family(item.name, item.source), output])
                self._known[stream.series(output)] = Series(values, columns[stream.name])

    def _add_computed(self, name: str, expression: nodes.Expression) -> None:
        chosen, combination = self.combinations([expression])
        back = lead(expression)
        with np.errstate(all="ignore"):
            found = self.evaluator(chosen, back).number(expression)
        values = np.full((len(chosen), len(self.stretches)), np.nan)
        values[:, back:] = found
        self._known[name] = Series(values, combination)

    def _add_windows(self, expression: nodes.Expression) -> None:
        for node in nodes.walk(expression):
            if isinstance(node, nodes.Call) and node.function in (*nodes.TRENDS, *nodes.WINDOWS):
                self._known.setdefault(format_rule(node), self._window(node))

    def _window(self, node: nodes.Call) -> Series:
        source = node.arguments[0]
        if not isinstance(source, nodes.Reference):
            message = f"not a series: {format_rule(source)}"
            raise TypeError(message)
        series, span = self._known[flat_name(source)], window(node)
        lengths = np.full(len(self._points), span.bars, dtype=np.intp)
        for name in span.parameters:
            lengths = lengths + self._points[name].astype(np.intp)
        chosen, combination = distinct(len(self._points), [series.column, lengths])
        values = np.empty((len(chosen), len(self.stretches)))
        for length in np.unique(lengths[chosen]).tolist():
            (rows,) = (lengths[chosen] == length).nonzero()
            inputs = series.values[series.column[chosen[rows]]]
            values[rows] = _over(node.function, inputs, length)
        return Series(values, combination)


def distinct(count: int, keys: "Sequence[NDArray[np.generic]]") -> tuple["Numbers", "Numbers"]:
    """Return the distinct combinations of some keys.

    Args:
        count: Number of points.
        keys: Each of shape (count,).

    Returns:
        The first point of each combination, shape (U,), and the combination of each point.
    """
    number = np.zeros(count, dtype=np.intp)
    for key in keys:
        values, place = np.unique(key, return_inverse=True)
        # Renumbered each time, so that the numbers stay small.
        number = np.unique(number * len(values) + place, return_inverse=True)[1]
    _, chosen, combination = np.unique(number, return_index=True, return_inverse=True)
    return chosen, combination


@final
@dataclass(frozen=True, slots=True)
class _Rows:
    # Whole series from a place on: a row for each point, one row for all where they share it.
    table: SeriesTable
    points: "Numbers"
    lead: int

    def series(self, name: str, offset: int) -> "Floats":
        series = self.table[name]
        until = series.values.shape[1] - offset
        if len(series.values) == 1:
            return series.values[:, self.lead - offset : until]
        return series.values[series.column[self.points], self.lead - offset : until]

    def parameter(self, name: str) -> "Floats":
        return self.table.parameter(name, self.points)


@final
@dataclass(frozen=True, slots=True)
class _Gathered:
    # Chosen places of each point's series, row by row.
    table: SeriesTable
    points: "Numbers"
    places: "Numbers"

    def series(self, name: str, offset: int) -> "Floats":
        series = self.table[name]
        return series.values[series.column[self.points][:, None], self.places - offset]

    def parameter(self, name: str) -> "Floats":
        return self.table.parameter(name, self.points)


def _over(function: str, values: "Floats", length: int) -> "Floats":
    # A function of the rule language over a window.
    match function:
        case "highest":
            return windows.highest(_finite(values), [length])[length]
        case "lowest":
            return windows.lowest(_finite(values), [length])[length]
        case "change":
            return values - windows.shifted(values, length)
        case _:
            return windows.trend(values, length, 1 if function == "rising" else -1)


def _finite(values: "Floats") -> "Floats":
    return np.where(np.isfinite(values), values, np.nan)
