"""Puts the returns of a finalist and of all trials beside it to the statistics."""

from typing import final

from stratlab.campaigns.finalist_returns import TrialSeries
from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.registered_points import registered_points
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.examination import StatisticsEvidence
from stratlab.domain.ports import Artifacts, MarketData, Repository


@final
class FinalistStatistics:
    """Implements the port ``StatisticsDesk`` on what is stored; the same store, the same figures.

    Args:
        repository: The registry and the trials of all iterations.
        artifacts: Where their equity is.
        market_data: Prices of the benchmark.
    """

    def __init__(
        self, repository: Repository, artifacts: Artifacts, market_data: MarketData
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data

    def examine(self, campaign: Campaign, iteration: Iteration) -> StatisticsEvidence:
        """Return the evidence about the chosen point of an iteration.

        Raises:
            InvalidInputError: The point has no trials on train and validation.
        """
        # keeps start-up fast: numpy, and behind it scipy, arch and statsmodels
        from stratlab.evaluation.regimes import regime_table  # noqa: PLC0415
        from stratlab.evaluation.statistics.bounds import sharpe_bound  # noqa: PLC0415
        from stratlab.evaluation.statistics.cscv import (  # noqa: PLC0415
            probability_of_backtest_overfitting,
        )
        from stratlab.evaluation.statistics.deflation import deflated_sharpes  # noqa: PLC0415
        from stratlab.evaluation.statistics.predictive_ability import (  # noqa: PLC0415
            predictive_ability,
        )
        from stratlab.evaluation.statistics.sharpe import (  # noqa: PLC0415
            estimate_sharpe,
            minimum_track_record,
            probabilistic_sharpe,
        )
        from stratlab.evaluation.trial_count import count_trials  # noqa: PLC0415

        series = TrialSeries(campaign, self._artifacts, self._market_data)
        iterations = all_iterations(self._repository, campaign.id)
        returns, everything = series.of_finalist(iteration), series.of_all(iterations)
        if returns is None or everything is None:
            raise InvalidInputError(
                f"the candidate of iteration {iteration.number} has no returns on both tiers"
            )
        counts = count_trials(registered_points(self._repository, campaign.id), iterations)
        market, trained = series.of_market(iteration)
        seed = campaign.spec.seed
        return StatisticsEvidence(
            counts=counts,
            sharpe=estimate_sharpe(returns),
            bound=sharpe_bound(returns, seed=seed),
            probabilistic=probabilistic_sharpe(returns),
            track_record=minimum_track_record(returns),
            deflated=deflated_sharpes(returns, counts, everything),
            spa=predictive_ability(everything, seed=seed),
            overfitting=probability_of_backtest_overfitting(everything),
            regimes=regime_table(returns, market, trained, seed=seed),
        )
