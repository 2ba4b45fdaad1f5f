"""What is planted: rules by which yesterday's closes decide today's drift, as contracts too."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.contract.streaming import Rsi, Sma, Stdev
from stratlab.selftest.worlds.world import WorldKind

if TYPE_CHECKING:
    import numpy as np

    from stratlab.contract.model import StrategyContract

Watcher = Callable[[float, float], bool]
"""Fed with each close and volume in turn; says whether the next session's drift is upwards."""


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """A rule that divides days into those with an upward and those with a downward drift.

    Attributes:
        contract: Holds the symbol on the former and nothing on the latter: the oracle.
        watch: Returns a watcher that has seen nothing yet.
    """

    contract: "StrategyContract"
    watch: Callable[[], Watcher]


def draw_effect(kind: WorldKind, random: "np.random.Generator") -> Effect:
    """Return an effect of a kind with its hidden numbers drawn at random."""
    return _DRAWERS[kind](random)


def _momentum(random: "np.random.Generator") -> Effect:
    # Upwards from a new high of some weeks until a new low of some days.
    high, low = int(random.integers(3, 7)) * 5, int(random.integers(1, 3)) * 5

    def watch() -> Watcher:
        return _Breakout(high, low).update

    contract = _oracle(
        "oracle_momentum", [], f"close >= highest(close, {high})", f"close <= lowest(close, {low})"
    )
    return Effect(contract, watch)


def _reversal(random: "np.random.Generator") -> Effect:
    # Upwards from a close far below its mean until it is back there.
    length, mult = int(random.integers(2, 6)) * 5, int(random.integers(4, 7)) / 4

    def watch() -> Watcher:
        return _Band(Sma(length), Stdev(length), mult).update

    contract = _oracle(
        "oracle_reversal",
        [{"id": "bands", "name": "bbands", "params": {"length": length, "mult": mult}}],
        "close < bands.lower",
        "close >= bands.mid",
    )
    return Effect(contract, watch)


def _conjunction(random: "np.random.Generator") -> Effect:
    # Either half alone says little; the volume knows nothing of the direction of prices.
    length, low, high = (
        int(random.integers(3, 9)),
        int(random.integers(5, 9)) * 5,
        int(random.integers(10, 14)) * 5,
    )
    days = int(random.integers(2, 5)) * 10

    def watch() -> Watcher:
        return _Swing(Rsi(length), low, high, Sma(days)).update

    contract = _oracle(
        "oracle_conjunction",
        [
            _rsi(length),
            {"id": "usual", "name": "sma", "source": "volume", "params": {"length": days}},
        ],
        f"rsi < {low} and volume > usual",
        f"rsi > {high}",
    )
    return Effect(contract, watch)


def _day_reversal(random: "np.random.Generator") -> Effect:
    del random  # it has no numbers

    def watch() -> Watcher:
        seen = [float("inf")]

        def update(close: float, _: float) -> bool:
            falls = close < seen[0]
            seen[0] = close
            return falls

        return update

    return Effect(_oracle("oracle_day", [], "close < close[1]", "close >= close[1]"), watch)


_DRAWERS: Mapping[WorldKind, Callable[["np.random.Generator"], Effect]] = {
    WorldKind.MOMENTUM: _momentum,
    WorldKind.DECAYING: _momentum,
    WorldKind.REVERSAL: _reversal,
    WorldKind.CONJUNCTION: _conjunction,
    WorldKind.COST_KILLER: _day_reversal,
}


@final
class _Breakout:
    # In from a highest close until the next lowest one.
    def __init__(self, high: int, low: int) -> None:
        self._highs = deque[float](maxlen=high)
        self._lows = deque[float](maxlen=low)
        self._is_in = False

    def update(self, close: float, volume: float) -> bool:
        del volume
        self._highs.append(close)
        self._lows.append(close)
        self._is_in = close > min(self._lows) if self._is_in else close >= max(self._highs)
        return self._is_in


@final
class _Band:
    # In from a close below the band until its next one at the mean.
    def __init__(self, mean: Sma, deviation: Stdev, mult: float) -> None:
        self._mean, self._deviation, self._mult = mean, deviation, mult
        self._is_in = False

    def update(self, close: float, volume: float) -> bool:
        del volume
        mid = self._mean.update(close)
        lower = mid - self._mult * self._deviation.update(close)
        self._is_in = close < mid if self._is_in else close < lower
        return self._is_in


@final
class _Swing:
    # In from a low of the index until its next high; a usual volume must be exceeded to get in.
    def __init__(self, index: Rsi, low: float, high: float, usual: Sma | None = None) -> None:
        self._index, self._low, self._high, self._usual = index, low, high, usual
        self._is_in = False

    def update(self, close: float, volume: float) -> bool:
        index = self._index.update(close)
        is_busy = self._usual is None or volume > self._usual.update(volume)
        if self._is_in:
            self._is_in = index <= self._high
        else:
            self._is_in = index < self._low and is_busy
        return self._is_in


def _rsi(length: int) -> dict[str, object]:
    return {"id": "rsi", "name": "rsi", "params": {"length": length}}


def _oracle(
    name: str, indicators: list[dict[str, object]], entry: str, out: str
) -> "StrategyContract":
    return load_contract(
        {
            "schema_version": "1.0.0",
            "strategy_id": name,
            "version": "1.0.0",
            "thesis": "It knows what was planted.",
            "indicators": indicators,
            "entry_rules": [{"id": "up", "side": "long", "when": entry}],
            "exit_rules": [{"id": "down", "side": "long", "when": out}],
            "risk_model": {"sizing": {"kind": "percent_equity", "percent": 100}},
            "optimization_space": {},
        }
    )
