"""Contracts with spaces of every kind, and figures that can be computed in the head."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from hypothesis import strategies as st

from stratlab.contract.document import load_contract
from stratlab.contract.model import StrategyContract
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.trial import Parameters
from stratlab.search.parameters_objective import World


def whole(low: int, high: int, step: int, value: int, *, enabled: bool = True) -> dict[str, object]:
    """Return a whole-number parameter."""
    return {
        "enabled": enabled,
        "min": low,
        "max": high,
        "step": step,
        "value": value,
        "kind": "int",
    }


def real(
    low: float, high: float, step: float, value: float, *, enabled: bool = True
) -> dict[str, object]:
    """Return a parameter of kind float."""
    return {
        "enabled": enabled,
        "min": low,
        "max": high,
        "step": step,
        "value": value,
        "kind": "float",
    }


def contract_of(space: dict[str, dict[str, object]]) -> StrategyContract:
    """Return a contract that uses each parameter of a space as the level of a condition."""
    levels = " and ".join(f"close > ${name}" for name in sorted(space)) or "close > 1"
    return load_contract(
        {
            "schema_version": "1.0.0",
            "strategy_id": "levels",
            "version": "1.0.0",
            "thesis": "",
            "indicators": [],
            "entry_rules": [{"id": "in", "side": "long", "when": levels}],
            "exit_rules": [{"id": "out", "side": "long", "when": "bars_held >= 5"}],
            "risk_model": {"sizing": {"kind": "percent_equity", "percent": 100}},
            "optimization_space": space,
        }
    )


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, dict[str, object]]:
    """Draw a space of up to four parameters, some of them disabled or of one value."""
    space: dict[str, dict[str, object]] = {}
    for name in ("a", "b", "c", "d")[: draw(st.integers(1, 4))]:
        enabled = draw(st.booleans())
        low, steps, step = (
            draw(st.integers(1, 30)),
            draw(st.integers(0, 12)),
            draw(st.integers(1, 4)),
        )
        place = draw(st.integers(0, steps))
        if draw(st.booleans()):
            space[name] = whole(low, low + steps * step, step, low + place * step, enabled=enabled)
        else:
            values = [round(low + at * step / 10, 10) for at in (steps, place)]
            space[name] = real(low, values[0], step / 10, values[1], enabled=enabled)
    return space


@dataclass
class Peak:
    """Stands in for the numpy evaluator: the Sharpe ratio falls with the distance from a point.

    Attributes:
        at: Where the ratio is 2.
        calls: Points of each call.
    """

    at: Parameters
    calls: list[list[Parameters]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def score(self, parameters: Parameters) -> float:
        distance = sum((parameters[name] - value) ** 2 for name, value in self.at.items())
        return 2.0 - math.sqrt(distance) / 10.0

    def objective(self, points: Sequence[Parameters]) -> list[float | None]:
        """Judge points as an objective of the search does."""
        self.calls.append(list(points))
        return [self.score(point) for point in points]

    def __call__(
        self, contract: StrategyContract, world: World, points: Sequence[Parameters]
    ) -> list[Metrics]:
        """Judge points as the numpy evaluator does."""
        with self._lock:
            self.calls.append(list(points))
        return [metrics_of(self.score(point)) for point in points]


def metrics_of(sharpe: float | None) -> Metrics:
    """Return metrics with a Sharpe ratio and figures that follow from it."""
    return Metrics(
        cum_returns_final=None if sharpe is None else sharpe / 10,
        annual_return=None if sharpe is None else sharpe / 20,
        annual_volatility=None,
        sharpe_ratio=None if sharpe is None else AnnualSharpe(sharpe),
        sortino_ratio=None,
        max_drawdown=-0.1,
        calmar_ratio=None,
        win_rate=None,
        total_trades=0 if sharpe is None else 10,
        turnover=None,
    )
