"""Judges one iteration: chooses its parameter point, classifies, scores and applies the gates."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import final

from stratlab.domain.campaign import Campaign, Evaluation
from stratlab.domain.gates import Level
from stratlab.domain.market import Tier
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.trial import Outcome, Parameters, TrialPurpose, TrialResult
from stratlab.evaluation.gates import judge_gates
from stratlab.evaluation.scoring import composite_score, train_score

_NEEDED = ("cum_returns_final", "annual_return", "sharpe_ratio", "max_drawdown")
# What "valid metrics" means: these are defined on both tiers.


def judge_iteration(campaign: Campaign, results: Sequence[TrialResult]) -> Evaluation:
    """Judge an iteration by its search trials.

    The parameter point is chosen by train figures only: points whose train trials all
    succeeded first, then by :func:`train_score`, then by Sharpe ratio, then the earlier one.
    It is known as soon as the train tier is done. Several market sets are aggregated by
    :func:`aggregate`; a point that failed on one of them has no metrics on that tier.

    Levels: FAILED when no trial succeeded; RAN when the point has no valid metrics on a tier;
    PROFITABLE when its total return after costs is above zero and above the benchmark's on
    train and validation; VALID_METRICS otherwise.

    Args:
        campaign: Gates, markets and timeframes.
        results: All tiers, ordered by trial index; series are not needed.
    """
    searched = [result for result in results if result.spec.purpose is TrialPurpose.SEARCH]
    markets = len(campaign.spec.markets) * len(campaign.spec.timeframes)
    points = _points(searched)
    if not points:
        return Evaluation(Level.FAILED, gates=judge_gates(campaign.spec.gates, None, None, None))
    ranked = [(_rank(point, markets), -order, point) for order, point in enumerate(points)]
    _, _, best = max(ranked, key=lambda item: item[:2])
    train = best.metrics(Tier.TRAIN, markets)
    validation = best.metrics(Tier.VALIDATION, markets)
    benchmark_train = best.benchmark(Tier.TRAIN, markets)
    benchmark_validation = best.benchmark(Tier.VALIDATION, markets)
    level = Level.FAILED
    if any(result.outcome is Outcome.SUCCEEDED for result in searched):
        level = _level(train, validation, benchmark_train, benchmark_validation)
    score = composite_score(train, validation, benchmark_train, benchmark_validation)
    return Evaluation(
        level=level,
        train=train,
        validation=validation,
        benchmark_train=benchmark_train,
        benchmark_validation=benchmark_validation,
        parameters=best.parameters,
        gates=judge_gates(campaign.spec.gates, train, validation, best.worst_drawdown()),
        score=score.value,
        score_parts=score.parts,
        expected_trials=markets * (len(points) + 1),
        trials=len(searched),
    )


def aggregate(metrics: Sequence[Metrics]) -> Metrics | None:
    """Return the metrics of several market sets as those of one, None for no metrics.

    Every figure is the mean over the market sets, which gives no credit for diversification,
    except: ``max_drawdown`` is the worst, ``total_trades`` the sum, ``win_rate`` weighted by
    trades, and ``calmar_ratio`` the mean annual return over the worst drawdown. A figure that
    is undefined on one market set is undefined (a market set without trades has no part in
    the win rate).
    """
    if len(metrics) <= 1:
        return metrics[0] if metrics else None
    means = {
        field.name: _mean([getattr(m, field.name) for m in metrics]) for field in fields(Metrics)
    }
    drawdowns = [m.max_drawdown for m in metrics if m.max_drawdown is not None]
    worst = min(drawdowns) if len(drawdowns) == len(metrics) else None
    annual_return, sharpe = means["annual_return"], means["sharpe_ratio"]
    trades = sum(m.total_trades for m in metrics)
    wins = sum(m.win_rate * m.total_trades for m in metrics if m.win_rate is not None)
    return Metrics(
        cum_returns_final=means["cum_returns_final"],
        annual_return=annual_return,
        annual_volatility=means["annual_volatility"],
        sharpe_ratio=None if sharpe is None else AnnualSharpe(sharpe),
        sortino_ratio=means["sortino_ratio"],
        max_drawdown=worst,
        calmar_ratio=annual_return / abs(worst) if annual_return is not None and worst else None,
        win_rate=wins / trades if trades else None,
        total_trades=trades,
        turnover=means["turnover"],
    )


@final
@dataclass(frozen=True, slots=True)
class _Point:
    # One parameter point with all its trials, in trial order.
    parameters: Parameters
    results: tuple[TrialResult, ...]

    def metrics(self, tier: Tier, markets: int) -> Metrics | None:
        found = [r.metrics for r in self._on(tier) if r.metrics is not None]
        return aggregate(found) if len(found) == markets else None

    def benchmark(self, tier: Tier, markets: int) -> Metrics | None:
        found = [r.benchmark_metrics for r in self._on(tier) if r.benchmark_metrics is not None]
        return aggregate(found) if len(found) == markets else None

    def worst_drawdown(self) -> float | None:
        found = [r.metrics.max_drawdown if r.metrics else None for r in self.results]
        known = [value for value in found if value is not None]
        return min(known) if known and len(known) == len(found) else None

    def _on(self, tier: Tier) -> list[TrialResult]:
        return [result for result in self.results if result.spec.window.tier is tier]


def _points(results: Sequence[TrialResult]) -> list[_Point]:
    grouped: dict[tuple[tuple[str, float], ...], list[TrialResult]] = {}
    for result in results:
        # 1 and 1.0 are the same value of a parameter.
        key = tuple(sorted((name, float(value)) for name, value in result.spec.parameters.items()))
        grouped.setdefault(key, []).append(result)
    return [_Point(group[0].spec.parameters, tuple(group)) for group in grouped.values()]


def _rank(point: _Point, markets: int) -> tuple[bool, float, float]:
    train = point.metrics(Tier.TRAIN, markets)
    if train is None:
        return (False, float("-inf"), float("-inf"))
    score = train_score(train, point.benchmark(Tier.TRAIN, markets))
    sharpe = train.sharpe_ratio
    return (
        True,
        float("-inf") if score is None else score,
        float("-inf") if sharpe is None else sharpe,
    )


def _level(
    train: Metrics | None,
    validation: Metrics | None,
    benchmark_train: Metrics | None,
    benchmark_validation: Metrics | None,
) -> Level:
    if not (_valid(train) and _valid(validation)):
        return Level.RAN
    beaten = _beats(train, benchmark_train) and _beats(validation, benchmark_validation)
    return Level.PROFITABLE if beaten else Level.VALID_METRICS


def _valid(metrics: Metrics | None) -> bool:
    return metrics is not None and all(getattr(metrics, name) is not None for name in _NEEDED)


def _beats(metrics: Metrics | None, benchmark: Metrics | None) -> bool:
    own = metrics.cum_returns_final if metrics else None
    other = benchmark.cum_returns_final if benchmark else None
    return own is not None and other is not None and own > max(other, 0.0)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
