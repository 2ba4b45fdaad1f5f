"""Daily returns of a campaign's trials in excess of its benchmark, from what is stored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from stratlab.domain.market import Tier
from stratlab.domain.points import point_digest
from stratlab.domain.ports import Artifacts, MarketData
from stratlab.domain.trial import EquityPoint, Outcome, TrialPurpose, TrialResult, TrialSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stratlab.domain.campaign import Campaign, Iteration
    from stratlab.domain.returns import ExcessReturns, TrialReturns

_TIERS = (Tier.TRAIN, Tier.VALIDATION)


def chosen_results(iteration: "Iteration") -> tuple[TrialResult, ...]:
    """Return the search trials of the chosen parameter point of an iteration, by trial index."""
    evaluation = iteration.evaluation
    if evaluation is None:
        return ()
    chosen = point_digest(evaluation.parameters)
    return tuple(r for r in _searched(iteration) if point_digest(r.spec.parameters) == chosen)


def mean_of(series: "Sequence[ExcessReturns]") -> "ExcessReturns":
    """Return the mean of the returns of market sets: an equal part in each, rebalanced daily.

    Raises:
        InvalidInputError: There are none, or they are not over the same periods.
    """
    # keeps start-up fast: numpy
    from stratlab.domain.returns import ExcessReturns, TrialReturns  # noqa: PLC0415

    together = TrialReturns.of(series)
    return ExcessReturns(together.values.mean(axis=1), together.periods_per_year)


@final
class TrialSeries:
    """Reads the series of one campaign; the benchmark of a tier is computed once.

    Where a campaign has several market sets, a point's returns are :func:`mean_of` theirs.

    Args:
        campaign: Whose trials.
        artifacts: Where their equity is.
        market_data: Prices of the benchmark.
    """

    def __init__(self, campaign: "Campaign", artifacts: Artifacts, market_data: MarketData) -> None:
        self._campaign = campaign
        self._artifacts = artifacts
        self._market_data = market_data
        self._benchmarks: dict[object, tuple[tuple[EquityPoint, ...], int]] = {}

    def of_finalist(self, iteration: "Iteration") -> "ExcessReturns | None":
        """Return the chosen point's returns on train, then validation; None without trials."""
        from stratlab.evaluation.statistics.excess import joined  # noqa: PLC0415 (numpy)

        parts = [self._mean(_on(tier, chosen_results(iteration))) for tier in _TIERS]
        known = [part for part in parts if part is not None]
        return joined(*known) if len(known) == len(parts) else None

    def of_market(self, iteration: "Iteration") -> "tuple[NDArray[np.float64], int]":
        """Return the benchmark's own returns on the same sessions, and how many are of train."""
        import numpy as np  # noqa: PLC0415 (keeps start-up fast)

        from stratlab.evaluation.statistics.excess import simple_returns  # noqa: PLC0415 (numpy)

        tiers = []
        for tier in _TIERS:
            results = _on(tier, chosen_results(iteration))
            benchmarks = [self.benchmark(result.spec)[0] for result in results]
            values = np.array([[point.value for point in points] for points in benchmarks])
            capital = results[0].spec.capital
            tiers.append(np.mean([simple_returns(each, capital) for each in values], axis=0))
        return np.concatenate(tiers), len(tiers[0])

    def of_all(self, iterations: "Sequence[Iteration]") -> "TrialReturns | None":
        """Return the returns of every point that was searched, over train and validation.

        A point that selection left behind on train never saw validation: from there on it holds
        the benchmark, an excess of zero, so that all are compared over the same sessions. Points
        without a whole train series (failed ones) have no returns; they still count in N.
        """
        import numpy as np  # noqa: PLC0415 (keeps start-up fast)

        from stratlab.domain.returns import ExcessReturns, TrialReturns  # noqa: PLC0415 (the same)

        pairs = [
            (train, self._mean(_on(Tier.VALIDATION, group)))
            for iteration in iterations
            for group in _by_point(_searched(iteration))
            if (train := self._mean(_on(Tier.TRAIN, group))) is not None
        ]
        if not pairs:
            return None
        lengths = [rest.observations for _, rest in pairs if rest is not None]
        rest_length = max(lengths, default=0)
        distinct: dict[bytes, ExcessReturns] = {}
        for train, rest in pairs:
            tail = np.zeros(rest_length) if rest is None else rest.values
            values = np.concatenate([train.values, tail])
            # What was computed twice is one trial.
            distinct[values.tobytes()] = ExcessReturns(values, train.periods_per_year)
        return TrialReturns.of(list(distinct.values()))

    def _mean(self, results: Sequence[TrialResult]) -> "ExcessReturns | None":
        spec = self._campaign.spec
        succeeded = [result for result in results if result.outcome is Outcome.SUCCEEDED]
        if len(succeeded) != len(spec.markets) * len(spec.timeframes):
            return None
        return mean_of([self._excess(result) for result in succeeded])

    def _excess(self, result: TrialResult) -> "ExcessReturns":
        from stratlab.evaluation.statistics.excess import excess_returns  # noqa: PLC0415 (numpy)

        benchmark, year = self.benchmark(result.spec)
        equity = self._artifacts.equity(self._campaign.id, result.spec.trial_id)
        return excess_returns(equity, benchmark, result.spec.capital, year)

    def benchmark(self, spec: TrialSpec) -> tuple[tuple[EquityPoint, ...], int]:
        """Return the benchmark's equity where a trial was run, and the sessions of a year.

        Raises:
            DataSetNotFoundError: The data set was removed.
        """
        from stratlab.evaluation.benchmark import buy_and_hold  # noqa: PLC0415 (numpy)

        key = (spec.market, spec.window, spec.capital, spec.cost_model)
        if key not in self._benchmarks:
            prices = self._market_data.prices(spec.market, spec.window.tier)
            held = buy_and_hold(spec.market, prices, spec.window, spec.capital, spec.cost_model)
            bars, values = held.bars[held.ends].tolist(), held.equity[held.ends].tolist()
            points = tuple(map(EquityPoint, bars, values))
            self._benchmarks[key] = (points, held.sessions_per_year)
        return self._benchmarks[key]


def _searched(iteration: "Iteration") -> list[TrialResult]:
    return [r for r in iteration.results if r.spec.purpose is TrialPurpose.SEARCH]


def _by_point(results: Sequence[TrialResult]) -> Sequence[Sequence[TrialResult]]:
    grouped: dict[str, list[TrialResult]] = {}
    for result in results:
        grouped.setdefault(point_digest(result.spec.parameters), []).append(result)
    return list(grouped.values())


def _on(tier: Tier, results: Sequence[TrialResult]) -> list[TrialResult]:
    return [result for result in results if result.spec.window.tier is tier]
