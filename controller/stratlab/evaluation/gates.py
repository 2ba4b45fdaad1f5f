"""Judges metrics by the campaign's gates."""

from collections.abc import Callable

from stratlab.domain.gates import GateResult, Gates
from stratlab.domain.metrics import Metrics


def judge_gates(
    gates: Gates, train: Metrics | None, validation: Metrics | None, worst_drawdown: float | None
) -> tuple[GateResult, ...]:
    """Return one result for every gate that is on, in the order of :class:`Gates`.

    A bound itself passes; an undefined metric never does.

    Args:
        gates: Thresholds.
        train: Metrics of the parameter point on the train tier, None when it has none.
        validation: The same on the validation tier.
        worst_drawdown: Deepest drawdown (zero or negative) of any trial of that point.
    """
    train_sharpe = train.sharpe_ratio if train else None
    validation_sharpe = validation.sharpe_ratio if validation else None
    degradation = (
        train_sharpe - validation_sharpe
        if train_sharpe is not None and validation_sharpe is not None
        else None
    )
    judged = (
        _at_most("max_drawdown", worst_drawdown and abs(worst_drawdown), gates.max_drawdown),
        _at_least("min_sharpe_ratio", train_sharpe, gates.min_sharpe_ratio),
        _at_least(
            "min_validation_sharpe_ratio", validation_sharpe, gates.min_validation_sharpe_ratio
        ),
        _at_most("max_oos_degradation", degradation, gates.max_oos_degradation),
        _at_least("min_total_trades", train and train.total_trades, gates.min_total_trades),
        _at_most("max_turnover", train and train.turnover, gates.max_turnover),
    )
    return tuple(result for result in judged if result is not None)


def _at_most(gate: str, value: float | None, bound: float | None) -> GateResult | None:
    return _judge(gate, value, bound, lambda value, bound: value <= bound)


def _at_least(gate: str, value: float | None, bound: float | None) -> GateResult | None:
    return _judge(gate, value, bound, lambda value, bound: value >= bound)


def _judge(
    gate: str, value: float | None, bound: float | None, passes: Callable[[float, float], bool]
) -> GateResult | None:
    if bound is None:
        return None
    return GateResult(gate, value is not None and passes(value, bound), value, float(bound))
