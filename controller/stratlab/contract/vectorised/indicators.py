"""All indicators of a contract for all points of a grid: every distinct one is computed once."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.indicators import BAR, REGISTRY
from stratlab.contract.streaming import Bar
from stratlab.contract.vectorised import means, windows
from stratlab.contract.vectorised.frames import Stretches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.frames import Frame

    Outputs = list[list[Floats]]


Parameters = list[tuple[float, ...]]
"""Parameters of every column of a family."""

Column = tuple[tuple[float, ...], int]
"""Parameters of one indicator in the registry's order, and the bar it starts at."""


@final
@dataclass(frozen=True, slots=True)
class Family:
    """An entry of the registry over one source, at all its distinct parameters.

    Attributes:
        name: Entry of the registry.
        source: Price, or ``bar``.
    """

    name: str
    source: str


class Indicators:
    """Values of indicators at every place of a frame.

    Args:
        frame: Bars of one timeframe.
        columns: What is wanted of each family; the columns of results are in this order.
    """

    def __init__(self, frame: "Frame", columns: "Mapping[Family, Sequence[Column]]") -> None:
        self._frame = frame
        self.values: dict[tuple[Family, str], Floats] = {}
        recursive = {
            family: _RECURSIONS[family.name](self._inputs(family), *_arrays(wanted))
            for family, wanted in columns.items()
            if family.name in _RECURSIONS
        }
        first = int(frame.starts.min(initial=len(frame.adjusted["close"][0]) - 1))
        outputs = means.run(list(recursive.values()), frame.stretches, first)
        with np.errstate(all="ignore"):
            for family, found in zip(recursive, outputs, strict=True):
                self._keep(family, _FINISHES.get(family.name, _as_is)(*found))
            for family, wanted in columns.items():
                if family.name in _WINDOWS:
                    self._keep(family, self._windowed(family, wanted))
                elif family.name not in _RECURSIONS:
                    self._keep(family, self._streamed(family, wanted))

    def _inputs(self, family: Family) -> "Mapping[str, Floats]":
        adjusted = self._frame.adjusted
        return adjusted if family.source == BAR else {"": adjusted[family.source]}

    def _keep(self, family: Family, values: "Sequence[Floats]") -> None:
        for output, array in zip(REGISTRY[family.name].outputs or ("",), values, strict=True):
            self.values[family, output] = array

    def _windowed(self, family: Family, wanted: "Sequence[Column]") -> "Sequence[Floats]":
        kind, stretches = REGISTRY[family.name], self._frame.stretches
        longest = max(kind.warm_up(_named(family, column)) for column in wanted)
        wide = Stretches.of(stretches.begins - longest, stretches.ends)
        places = wide.places(stretches.basis, stretches.bar)
        found = np.empty((len(kind.outputs or ("",)), len(wanted), len(stretches)))
        for start in sorted({start for _, start in wanted}):
            inputs = {name: wide.take(values) for name, values in self._inputs(family).items()}
            for values in inputs.values():
                values[wide.bar < start] = np.nan
            own = [at for at, column in enumerate(wanted) if column[1] == start]
            outputs = _WINDOWS[family.name](inputs, [wanted[at][0] for at in own])
            for output, columns in enumerate(outputs):
                for at, values in zip(own, columns, strict=True):
                    found[output, at] = values[places]
        return list(found)

    def _streamed(self, family: Family, wanted: "Sequence[Column]") -> "Sequence[Floats]":
        # Slow but right: an indicator that only has its streaming class.
        kind, stretches = REGISTRY[family.name], self._frame.stretches
        outputs = kind.outputs or ("value",)
        found = np.full((len(outputs), len(wanted), len(stretches)), np.nan)
        for at, column in enumerate(wanted):
            for basis, (begin, end) in enumerate(
                zip(stretches.begins.tolist(), stretches.ends.tolist(), strict=True)
            ):
                stream = kind.implementation(**_named(family, column))
                fields = [self._frame.adjusted[name][basis].tolist() for name in Bar._fields]
                for number, row in enumerate(zip(*fields, strict=True)):
                    if not column[1] <= number < end:
                        continue
                    bar = Bar(*row)
                    stream.update(bar if kind.reads_bars else getattr(bar, family.source))
                    if number >= begin:
                        place = stretches.origins[basis] + number
                        found[:, at, place] = [getattr(stream, name) for name in outputs]
        return list(found)


def knows_its_start(name: str) -> bool:
    """Return whether values of an indicator depend on the bar it started at, once it is warm."""
    return name not in _WINDOWS


def _named(family: Family, column: Column) -> dict[str, int | float]:
    kinds = REGISTRY[family.name].parameters
    return {
        name: int(value) if kind.whole else value
        for (name, kind), value in zip(kinds.items(), column[0], strict=True)
    }


def _arrays(columns: "Sequence[Column]") -> "list[Numbers]":
    # All parameters of recursive indicators are whole numbers of bars.
    parameters = np.array([column[0] for column in columns], dtype=np.intp)
    return [*parameters.T, np.array([start for _, start in columns], dtype=np.intp)]


def _as_is(*values: "Floats") -> "Sequence[Floats]":
    return values


_RECURSIONS: "dict[str, Callable[..., means.Recursion]]" = {
    "ema": lambda inputs, n, starts: means.Ema(inputs[""], n, means.ema_factors(n), starts),
    "rma": lambda inputs, n, starts: means.Ema(inputs[""], n, means.rma_factors(n), starts),
    "rsi": lambda inputs, n, starts: means.Rsi(inputs[""], n, starts),
    "atr": means.Atr,
    "macd": lambda inputs, *columns: means.Macd(inputs[""], *columns),
    "adx": means.Adx,
}
_FINISHES: "dict[str, Callable[..., Sequence[Floats]]]" = {
    "rsi": lambda rise, fall: (means.Rsi.finish(rise, fall),),
    "macd": lambda line, signal: (line, signal, line - signal),
    "adx": lambda plus, minus, mean: (plus, minus, 100.0 * mean),
}


def _sma(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    found = windows.means(inputs[""], _lengths(columns))
    return [[found[int(length)] for (length,) in columns]]


def _wma(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    return [[windows.weighted_mean(inputs[""], int(length)) for (length,) in columns]]


def _stdev(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    found = _deviations(inputs[""], _lengths(columns))
    return [[found[int(length)][1] for (length,) in columns]]


def _bbands(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    found = _deviations(inputs[""], _lengths(columns))
    mids = [found[int(length)][0] for length, _ in columns]
    widths = [mult * found[int(length)][1] for length, mult in columns]
    uppers = [mid + width for mid, width in zip(mids, widths, strict=True)]
    lowers = [mid - width for mid, width in zip(mids, widths, strict=True)]
    return [mids, uppers, lowers]


def _donchian(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    lengths = _lengths(columns)
    highs, lows = windows.highest(inputs["high"], lengths), windows.lowest(inputs["low"], lengths)
    return [[found[int(length)] for (length,) in columns] for found in (highs, lows)]


def _stoch(inputs: "Mapping[str, Floats]", columns: "Parameters") -> "Outputs":
    lengths = _lengths(columns)
    highs, lows = windows.highest(inputs["high"], lengths), windows.lowest(inputs["low"], lengths)
    smooths: dict[int, set[int]] = defaultdict(set)
    for length, smooth_k, _ in columns:
        smooths[int(length)].add(int(smooth_k))
    first = {}
    for length, smooth in smooths.items():
        height = highs[length] - lows[length]
        position = 100.0 * (inputs["close"] - lows[length]) / height
        position[height == 0.0] = np.nan
        for smooth_k, values in windows.means(position, sorted(smooth)).items():
            first[length, smooth_k] = values
    ks = [first[int(length), int(smooth_k)] for length, smooth_k, _ in columns]
    ds = [
        windows.means(k, [int(smooth_d)])[int(smooth_d)]
        for k, (_, _, smooth_d) in zip(ks, columns, strict=True)
    ]
    return [ks, ds]


def _lengths(columns: "Sequence[tuple[float, ...]]") -> list[int]:
    return sorted({int(column[0]) for column in columns})


def _deviations(values: "Floats", lengths: list[int]) -> dict[int, tuple["Floats", "Floats"]]:
    found = windows.means(values, lengths)
    return {
        length: (mean, windows.deviation(values, mean, length)) for length, mean in found.items()
    }


_WINDOWS = {
    "sma": _sma,
    "wma": _wma,
    "stdev": _stdev,
    "bbands": _bbands,
    "donchian": _donchian,
    "stoch": _stoch,
}
