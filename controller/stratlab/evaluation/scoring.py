"""The composite score: ranks candidates that pass every gate; it never buys a gate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.metrics import Metrics

WEIGHTS: Mapping[str, float] = {
    "return_quality": 0.35,
    "drawdown": 0.30,
    "risk_adjusted": 0.20,
    "robustness": 0.15,
}
"""Weight of each part of the composite score."""


@final
@dataclass(frozen=True, slots=True)
class Score:
    """A composite score.

    Attributes:
        value: In [0, 1]; None when a part is undefined.
        parts: The parts that are defined, by name, each in [0, 1].
    """

    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)


def return_quality(metrics: Metrics, benchmark: Metrics) -> float | None:
    """Map the annual return in excess of the benchmark's to [0, 1].

    ``1 / (1 + exp(-e / 0.10))`` with ``e = annual_return - benchmark.annual_return``: rising in
    e, 0.5 at the benchmark, 0.73 at ten points above it.
    """
    if metrics.annual_return is None or benchmark.annual_return is None:
        return None
    return _logistic((metrics.annual_return - benchmark.annual_return) / 0.10)


def drawdown(metrics: Metrics) -> float | None:
    """Map the deepest drawdown to [0, 1].

    ``(1 - min(d, 1)) ** 2`` with ``d = abs(max_drawdown)``: falling in d, 1 without a loss,
    0.64 at 20 %, 0.25 at 50 %, 0 at ruin.
    """
    if metrics.max_drawdown is None:
        return None
    return (1.0 - min(abs(metrics.max_drawdown), 1.0)) ** 2


def risk_adjusted(metrics: Metrics) -> float | None:
    """Map the annual Sharpe ratio to [0, 1].

    ``1 / (1 + exp(-2 * (sharpe_ratio - 0.5)))``: rising, 0.27 at 0, 0.5 at 0.5, 0.73 at 1,
    0.95 at 2.
    """
    if metrics.sharpe_ratio is None:
        return None
    return _logistic(2.0 * (metrics.sharpe_ratio - 0.5))


def robustness(train: Metrics, validation: Metrics) -> float | None:
    """Map the Sharpe ratio that is lost on new data to [0, 1].

    ``exp(-max(g, 0))`` with ``g = train.sharpe_ratio - validation.sharpe_ratio`` (annual): never
    rising in g, 1 without a loss, 0.61 for half a point, 0.37 for one.
    """
    if train.sharpe_ratio is None or validation.sharpe_ratio is None:
        return None
    return math.exp(-max(train.sharpe_ratio - validation.sharpe_ratio, 0.0))


def composite_score(
    train: Metrics | None,
    validation: Metrics | None,
    benchmark_train: Metrics | None,
    benchmark_validation: Metrics | None,
) -> Score:
    """Return the score of both tiers.

    The parts on return, drawdown and risk are means of the two tiers; a part that is undefined
    on one tier is undefined, and then so is the score.
    """
    if train is None or validation is None:
        return Score(None)
    if benchmark_train is None or benchmark_validation is None:
        return Score(None)
    found = {
        "return_quality": _mean(
            return_quality(train, benchmark_train),
            return_quality(validation, benchmark_validation),
        ),
        "drawdown": _mean(drawdown(train), drawdown(validation)),
        "risk_adjusted": _mean(risk_adjusted(train), risk_adjusted(validation)),
        "robustness": robustness(train, validation),
    }
    return _weigh(found)


def train_score(train: Metrics, benchmark: Metrics | None) -> float | None:
    """Return the score from the train tier alone, for generators, critics and selection.

    The three parts that need no other tier, their weights scaled to 1; None when a part is
    undefined.
    """
    if benchmark is None:
        return None
    return _weigh(
        {
            "return_quality": return_quality(train, benchmark),
            "drawdown": drawdown(train),
            "risk_adjusted": risk_adjusted(train),
        }
    ).value


def _weigh(found: Mapping[str, float | None]) -> Score:
    parts = {name: value for name, value in found.items() if value is not None}
    if len(parts) < len(found):
        return Score(None, parts)
    total = sum(WEIGHTS[name] for name in parts)
    return Score(sum(WEIGHTS[name] * value for name, value in parts.items()) / total, parts)


def _mean(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else (first + second) / 2.0


def _logistic(value: float) -> float:
    # Beyond 700 the exponential overflows; the result is 0 or 1 long before.
    return 1.0 / (1.0 + math.exp(-max(min(value, 700.0), -700.0)))
