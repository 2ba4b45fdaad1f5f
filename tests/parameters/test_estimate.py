"""What a campaign would cost, and what its winner would have to show."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.suites.memory_repository import MemoryRepository
from tests.suites.small_lab import SYMBOLS, PanelData, small_spec

from stratlab.campaigns.estimate import DEFAULT_SECONDS_PER_BACKTEST, estimate_campaign
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Iteration, StopRules
from stratlab.domain.errors import DataSetNotFoundError
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, Window
from stratlab.domain.search import ParameterSearch, Sampler
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.store import open_repository

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SESSIONS = 80  # 60 of train without the ten of warm-up, and 30 of validation


def spec_of(iterations: int | None = 10, wall: float | None = None, **changes) -> CampaignSpec:
    rules = StopRules(max_iterations=iterations, max_wall_seconds=wall)
    fields = {
        "parameter_points": 3,
        "parameter_search": ParameterSearch(Sampler.TPE, 64),
        "stop_rules": rules,
    }
    return small_spec(**fields | changes)


def add_past(repository, campaign_id: str, seconds: float, backtests: int, **changes) -> None:
    """Store a campaign that ended, with one smoke run besides its backtests."""
    spec = replace(small_spec(), **changes)
    market = MarketSet("small", SYMBOLS)
    window = Window(Tier.TRAIN, NOW.date(), NOW.date())
    campaign = Campaign(
        campaign_id,
        spec,
        "d",
        CampaignState.COMPLETED,
        NOW,
        NOW,
        iteration=1,
        working_seconds=seconds,
    )
    repository.create_campaign(campaign, "")
    purposes = [TrialPurpose.SMOKE, *[TrialPurpose.SEARCH] * backtests]
    with repository.transaction() as transaction:
        transaction.save_iteration(Iteration(campaign_id, 1, NOW))
        for index, purpose in enumerate(purposes):
            trial = TrialSpec(f"t{index}", index, purpose, market, window, {}, 1e5, CostModel())
            transaction.save_result(campaign_id, 1, TrialResult(trial, Outcome.SUCCEEDED))


def test_estimate_counts_points_and_backtests() -> None:
    estimate = estimate_campaign(
        spec_of(markets=(("AAA",), ("BBB",))), MemoryRepository(), PanelData()
    )
    assert estimate.counted_points == 30
    assert estimate.screened_points == 640
    assert estimate.backtests == 10 * 2 * (3 + 1)
    assert estimate.sessions == SESSIONS
    assert estimate.wall_seconds == 80 * DEFAULT_SECONDS_PER_BACKTEST
    assert estimate.measured_backtests == 0


@pytest.mark.parametrize(("screen", "expected"), [(0, 0), (2, 30), (3, 30), (5, 50)])
def test_estimate_screens_no_fewer_points_than_run(screen: int, expected: int) -> None:
    spec = spec_of(parameter_search=ParameterSearch(Sampler.TPE, screen))
    assert estimate_campaign(spec, MemoryRepository(), PanelData()).screened_points == expected


def test_estimate_of_more_points_asks_for_more() -> None:
    few, many = (
        estimate_campaign(spec_of(iterations), MemoryRepository(), PanelData())
        for iterations in (2, 2000)
    )
    assert few.required_sharpe_ratio is not None
    assert many.required_sharpe_ratio is not None
    assert few.required_sharpe_ratio < many.required_sharpe_ratio
    assert few.expected_maximum_sharpe_ratio < many.expected_maximum_sharpe_ratio
    assert many.expected_maximum_sharpe_ratio < many.required_sharpe_ratio


def test_estimate_of_one_point_expects_nothing_of_luck() -> None:
    estimate = estimate_campaign(spec_of(1, parameter_points=1), MemoryRepository(), PanelData())
    assert estimate.expected_maximum_sharpe_ratio == 0.0
    # The one-sided bound of the Sharpe ratio's own error: 1.645 / sqrt(80) a session.
    assert estimate.required_sharpe_ratio == pytest.approx(1.645 * (252 / 80) ** 0.5, rel=0.03)


def test_estimate_with_zipline_costs_screens_nothing() -> None:
    spec = spec_of(cost_model=CostModel(CostModelKind.ZIPLINE))
    assert estimate_campaign(spec, MemoryRepository(), PanelData()).screened_points == 0


def test_wall_clock_bounds_time_and_stands_in_for_missing_iterations() -> None:
    repository = MemoryRepository()
    bounded = estimate_campaign(spec_of(10, 30.0), repository, PanelData())
    assert bounded.wall_seconds == 30.0
    assert bounded.counted_points == 30
    without = estimate_campaign(spec_of(None, 160.0), repository, PanelData())
    assert without.backtests == 160.0 / DEFAULT_SECONDS_PER_BACKTEST
    assert estimate_campaign(spec_of(None, 0.1), repository, PanelData()).counted_points == 3


def test_seconds_per_backtest_are_those_of_earlier_campaigns_on_the_data_set(
    tmp_path: Path,
) -> None:
    with closing(open_repository(f"sqlite:///{tmp_path / 'stratlab.db'}")) as repository:
        add_past(repository, "c1", 30.0, 4)
        add_past(repository, "c2", 10.0, 1)
        add_past(repository, "c3", 99.0, 9, data_set="other")
        estimate = estimate_campaign(spec_of(), repository, PanelData())
        assert estimate.measured_backtests == 5
        assert estimate.seconds_per_backtest == 8.0
        assert estimate.wall_seconds == 8.0 * estimate.backtests
        # Nothing was stored.
        assert len(repository.list_campaigns()) == 3


def test_estimate_on_data_that_do_not_exist_is_refused() -> None:
    with pytest.raises(DataSetNotFoundError):
        estimate_campaign(spec_of(data_set="nothing"), MemoryRepository(), PanelData())
