"""Says what a campaign would cost, and what luck alone would make of it; stores nothing."""

import math
from datetime import UTC, datetime

from stratlab.domain.campaign import CampaignSpec
from stratlab.domain.market import CostModelKind, MarketSet, Tier
from stratlab.domain.ports import MarketData, Repository
from stratlab.domain.stats import CampaignEstimate
from stratlab.domain.strategy import GeneratorKind
from stratlab.domain.trial import TrialPurpose
from stratlab.evaluation.overfitting import (
    expected_maximum_sharpe,
    null_variance,
    required_sharpe,
)

DEFAULT_SECONDS_PER_BACKTEST = 4.0
"""Where nothing was measured: a container's start and one trial of five years of daily bars on
the machine of docs/benchmarks.md."""

DEFAULT_MODEL_COST_USD = {GeneratorKind.HYBRID: 0.05, GeneratorKind.CLAUDE: 0.12}
"""For an iteration where nothing was measured: brief, contract or code and critique, without
repairs, at the prices of the default model."""

_CAMPAIGNS = 10
_MICRO = 1_000_000
_ITERATIONS = 200


def estimate_campaign(
    spec: CampaignSpec, repository: Repository, market_data: MarketData
) -> CampaignEstimate:
    """Return what a campaign would cost if no stop rule ended it before its last iteration.

    Without a bound on iterations, as many are taken as fit into the wall clock. Wall time is that
    of earlier campaigns on the same data set, for each backtest and with everything around it,
    or :data:`DEFAULT_SECONDS_PER_BACKTEST`.

    Args:
        spec: With markets and timeframes filled in.
        repository: Where earlier campaigns are.
        market_data: Where the sessions are counted.

    Raises:
        DataSetNotFoundError: No such data set or symbol.
    """
    seconds, measured = _seconds_per_backtest(repository, spec.data_set)
    markets = len(spec.markets) * len(spec.timeframes)
    # Every point on train, then the best one on validation.
    in_iteration = markets * (spec.parameter_points + 1)
    rules = spec.stop_rules
    iterations = rules.max_iterations or max(
        1, math.floor((rules.max_wall_seconds or 0.0) / (in_iteration * seconds))
    )
    wall = iterations * in_iteration * seconds
    counted = iterations * spec.parameter_points
    sessions, per_year = _sessions(spec, market_data)
    required = required_sharpe(counted, sessions)
    luck = expected_maximum_sharpe(counted, null_variance(sessions))
    screened = spec.parameter_search.screen_points
    if spec.cost_model.kind is not CostModelKind.NEXT_OPEN:
        screened = 0
    elif screened:
        screened = max(screened, spec.parameter_points)
    cost, asked = _model_cost(repository, spec.generator)
    return CampaignEstimate(
        counted_points=counted,
        screened_points=iterations * screened,
        backtests=iterations * in_iteration,
        sessions=sessions,
        required_sharpe_ratio=None if required is None else required.annual(per_year),
        expected_maximum_sharpe_ratio=luck.annual(per_year),
        wall_seconds=min(wall, rules.max_wall_seconds or wall),
        seconds_per_backtest=seconds,
        measured_backtests=measured,
        model_cost_usd=min(iterations * cost, rules.max_cost_usd or math.inf),
        measured_model_iterations=asked,
    )


def _seconds_per_backtest(repository: Repository, data_set: str) -> tuple[float, int]:
    seconds, backtests = 0.0, 0
    for campaign in repository.list_campaigns(limit=_CAMPAIGNS):
        if campaign.spec.data_set != data_set or not campaign.state.is_final:
            continue
        newest = max(campaign.iteration - _ITERATIONS, 0)
        iterations = repository.list_iterations(campaign.id, after=newest, limit=_ITERATIONS)
        ran = sum(
            result.spec.purpose is TrialPurpose.SEARCH
            for iteration in iterations
            for result in iteration.results
        )
        if ran:
            # Of a long campaign the last part, with its part of the time.
            share = len(iterations) / max(campaign.iteration, 1)
            seconds += campaign.working_seconds * share
            backtests += ran
    return (seconds / backtests, backtests) if backtests else (DEFAULT_SECONDS_PER_BACKTEST, 0)


def _model_cost(repository: Repository, kind: GeneratorKind) -> tuple[float, int]:
    # For an iteration, and of how many that is the mean. A replay pays nothing.
    if kind not in DEFAULT_MODEL_COST_USD:
        return 0.0, 0
    micro_usd, iterations = 0, 0
    for campaign in repository.list_campaigns(limit=_CAMPAIGNS):
        if campaign.spec.generator is kind and campaign.state.is_final and not campaign.replay_of:
            spent = repository.ledger().spent(campaign.id)
            if spent.calls:
                micro_usd += spent.micro_usd
                iterations += campaign.iteration
    if not iterations:
        return DEFAULT_MODEL_COST_USD[kind], 0
    return micro_usd / _MICRO / iterations, iterations


def _sessions(spec: CampaignSpec, market_data: MarketData) -> tuple[int, int]:
    # Sessions of train and validation together, and how many there are in a year.
    tiers = market_data.get(spec.data_set).tiers
    market = MarketSet(spec.data_set, spec.markets[0], spec.timeframes[0])
    prices = market_data.prices(market, Tier.VALIDATION)
    first, last = (
        datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for day in (tiers[Tier.TRAIN].start, tiers[Tier.VALIDATION].end)
    )
    traded = {session for session in prices.sessions.tolist() if first <= session <= last}
    return len(traded), prices.sessions_per_year
