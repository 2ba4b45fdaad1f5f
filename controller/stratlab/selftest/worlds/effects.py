"""What is planted: rules by which yesterday's closes decide today's drift, as contracts too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.contract.streaming import Rsi, Sma
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
    length = int(random.integers(2, 7)) * 5

    def watch() -> Watcher:
        mean = Sma(length)
        return lambda close, _: close > mean.update(close)

    contract = _oracle(
        "oracle_momentum",
        [{"id": "trend", "name": "sma", "params": {"length": length}}],
        "close > trend",
        "close <= trend",
    )
    return Effect(contract, watch)


def _reversal(random: "np.random.Generator") -> Effect:
    length, low, high = _swing(random)

    def watch() -> Watcher:
        return _Swing(Rsi(length), low, high).update

    return Effect(
        _oracle("oracle_reversal", [_rsi(length)], f"rsi < {low}", f"rsi > {high}"), watch
    )


def _conjunction(random: "np.random.Generator") -> Effect:
    # Either half alone says little; the volume knows nothing of the direction of prices.
    length, low, high = _swing(random)
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


def _swing(random: "np.random.Generator") -> tuple[int, int, int]:
    return (
        int(random.integers(3, 9)),
        int(random.integers(5, 9)) * 5,
        int(random.integers(10, 14)) * 5,
    )


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
