"""The registry of indicators: what a contract may name, with its exact parameters and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from stratlab.contract import streaming
from stratlab.contract.nodes import PRICES

MAX_LENGTH = 500
"""Longest window of any indicator, in bars."""

BAR = "bar"
"""Source of indicators that read a whole bar (high, low and close)."""


@final
@dataclass(frozen=True, slots=True)
class ParameterKind:
    """An indicator's parameter: bounds are inclusive, ``whole`` ones are bar counts."""

    whole: bool
    min: float
    max: float


@final
@dataclass(frozen=True, slots=True)
class IndicatorKind:
    """One entry of the registry.

    Attributes:
        name: What contracts call it.
        implementation: Streaming class; its parameters are ``parameters``.
        parameters: Exact parameter set, in order.
        outputs: Names of its outputs, () when it has one value.
        reads_bars: Whether it reads whole bars instead of one series.
        summary: One line for people and prompts.
    """

    name: str
    implementation: type[Any]
    parameters: Mapping[str, ParameterKind]
    outputs: tuple[str, ...]
    reads_bars: bool
    summary: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Allowed values of an indicator's ``source``, the default first."""
        return (BAR,) if self.reads_bars else ("close", *(p for p in PRICES if p != "close"))

    def warm_up(self, parameters: Mapping[str, int | float]) -> int:
        """Return the number of bars before the first one with all outputs defined."""
        first: int = self.implementation(**parameters).first
        return first


_LENGTH = ParameterKind(whole=True, min=1, max=MAX_LENGTH)
_MULTIPLE = ParameterKind(whole=False, min=0.01, max=20.0)


def _kind(
    implementation: type[Any],
    parameters: tuple[str, ...],
    summary: str,
    *,
    outputs: tuple[str, ...] = (),
    reads_bars: bool = False,
) -> IndicatorKind:
    return IndicatorKind(
        name=implementation.__name__.lower(),
        implementation=implementation,
        parameters={name: _MULTIPLE if name == "mult" else _LENGTH for name in parameters},
        outputs=outputs,
        reads_bars=reads_bars,
        summary=summary,
    )


REGISTRY: Mapping[str, IndicatorKind] = {
    kind.name: kind
    for kind in (
        _kind(streaming.Ema, ("length",), "exponential moving average"),
        _kind(streaming.Sma, ("length",), "simple moving average"),
        _kind(streaming.Wma, ("length",), "linearly weighted moving average"),
        _kind(streaming.Rma, ("length",), "Wilder's moving average"),
        _kind(streaming.Rsi, ("length",), "relative strength index, 0 to 100"),
        _kind(streaming.Atr, ("length",), "average true range", reads_bars=True),
        _kind(streaming.Stdev, ("length",), "population standard deviation"),
        _kind(
            streaming.Macd,
            ("fast", "slow", "signal"),
            "difference of two exponential averages, its average and their difference",
            outputs=("line", "signal", "hist"),
        ),
        _kind(
            streaming.Bbands,
            ("length", "mult"),
            "Bollinger bands",
            outputs=("mid", "upper", "lower"),
        ),
        _kind(
            streaming.Donchian,
            ("length",),
            "highest high and lowest low, this bar included",
            outputs=("upper", "lower"),
            reads_bars=True,
        ),
        _kind(
            streaming.Stoch,
            ("length", "smooth_k", "smooth_d"),
            "stochastic oscillator, 0 to 100",
            outputs=("k", "d"),
            reads_bars=True,
        ),
        _kind(
            streaming.Adx,
            ("length", "smoothing"),
            "directional indicators and their average index, 0 to 100",
            outputs=("plus", "minus", "adx"),
            reads_bars=True,
        ),
    )
}
"""Every indicator by name; a new one is a streaming class, a line here and a reference test."""
