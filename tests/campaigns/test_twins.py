"""Candidates are compared by their daily train returns, and by nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from tests.search.histories import request_after, summary_of

from stratlab.campaigns.history import History
from stratlab.campaigns.twins import SAME_RETURNS, Twins
from stratlab.domain.campaign import Evaluation, Iteration
from stratlab.domain.gates import Level
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.metrics import AnnualSharpe, Metrics
from stratlab.domain.search import Islands
from stratlab.domain.trial import EquityPoint, Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.generation import load_templates

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = list(load_templates().values())
CAMPAIGN = request_after([], Islands(count=2, migration_interval=99)).campaign
SESSIONS = 250


def figures(annual_return: float, drawdown: float = -0.2) -> Metrics:
    return Metrics(
        cum_returns_final=annual_return * 5,
        annual_return=annual_return,
        annual_volatility=0.2,
        sharpe_ratio=AnnualSharpe(annual_return / 0.2),
        sortino_ratio=1.0,
        max_drawdown=drawdown,
        calmar_ratio=1.0,
        win_rate=0.5,
        total_trades=20,
        turnover=5.0,
    )


class Stored:
    """Iterations and their equity, as store and artefacts would give them; counts the reads."""

    def __init__(self) -> None:
        self.iterations: dict[int, Iteration] = {}
        self.series: dict[str, np.ndarray] = {}
        self.read: list[str] = []

    def add(
        self, number: int, returns: np.ndarray, annual_return: float, **changes: object
    ) -> Iteration:
        points = {"n": number}
        trials = []
        for index, (tier, purpose, values) in enumerate(
            [
                (Tier.TRAIN, TrialPurpose.SMOKE, -returns),
                (Tier.TRAIN, TrialPurpose.SEARCH, returns),
                (Tier.VALIDATION, TrialPurpose.SEARCH, np.full(10, 0.01)),
            ]
        ):
            spec = TrialSpec(
                trial_id=f"t{number}-{index}",
                index=index,
                purpose=purpose,
                market=MarketSet("small", ("AAA",)),
                window=Window(tier, date(2020, 1, 1), date(2020, 12, 31)),
                parameters=points,
                capital=1000.0,
                cost_model=CostModel(),
            )
            self.series[spec.trial_id] = 1000.0 * np.cumprod(1 + values)
            trials.append(TrialResult(spec, Outcome.SUCCEEDED))
        evaluation = Evaluation(
            Level.VALID_METRICS,
            train=figures(annual_return),
            benchmark_train=figures(0.1),
            parameters=points,
        )
        template = TEMPLATES[(number - 1) % len(TEMPLATES)]
        iteration = Iteration(
            "c", number, NOW, NOW, summary_of(number, template).candidate,
            results=tuple(trials), evaluation=evaluation,
        )  # fmt: skip
        self.iterations[number] = replace(iteration, **changes)
        return self.iterations[number]

    def get_iteration(self, campaign_id: str, number: int) -> Iteration:
        return self.iterations[number]

    def equity(self, campaign_id: str, trial_id: str) -> list[EquityPoint]:
        self.read.append(trial_id)
        return [EquityPoint(bar, value) for bar, value in enumerate(self.series[trial_id].tolist())]


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(4)


def test_worse_candidate_with_the_same_returns_names_the_better_one(noise) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    first = stored.add(1, returns, 0.3)
    second = stored.add(2, returns + noise.normal(0, 0.001, SESSIONS), 0.2)
    twins = Twins(stored, stored)
    assert twins.better(CAMPAIGN, second, History([first])) == first.candidate.hash
    assert set(stored.read) == {"t1-1", "t2-1"}, "only train returns of the search are compared"


def test_better_candidate_and_different_candidate_are_no_duplicates(noise) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    first = stored.add(1, returns, 0.2)
    better = stored.add(2, returns, 0.3)
    other = stored.add(3, noise.normal(0, 0.01, SESSIONS), 0.1)
    assert Twins(stored, stored).better(CAMPAIGN, better, History([first])) == ""
    assert Twins(stored, stored).better(CAMPAIGN, other, History([first, better])) == ""


@pytest.mark.parametrize(("share", "is_twin"), [(0.2, True), (0.5, False)])
def test_bound_is_on_the_correlation(noise, share: float, is_twin: bool) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    mixed = returns + share * noise.normal(0, 0.01, SESSIONS)
    assert (np.corrcoef(returns, mixed)[0, 1] > SAME_RETURNS) == is_twin
    first, second = stored.add(1, returns, 0.3), stored.add(2, mixed, 0.2)
    assert bool(Twins(stored, stored).better(CAMPAIGN, second, History([first]))) == is_twin


def test_leverage_alone_makes_no_new_strategy(noise) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    first, second = stored.add(1, returns, 0.3), stored.add(2, returns / 2, 0.2)
    found = Twins(stored, stored).better(CAMPAIGN, second, History([first]))
    assert found == first.candidate.hash


def test_candidate_that_never_trades_or_is_ruined_is_compared_with_none(noise) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    first = stored.add(1, returns, 0.3)
    idle = stored.add(2, np.zeros(SESSIONS), 0.2)
    ruined = stored.add(3, np.where(np.arange(SESSIONS) == 7, -1.5, returns), 0.2)
    for iteration in (idle, ruined):
        assert Twins(stored, stored).better(CAMPAIGN, iteration, History([first])) == ""


def test_returns_of_elites_are_read_once_and_forgotten_with_their_cell(noise) -> None:
    stored, returns = Stored(), noise.normal(0, 0.01, SESSIONS)
    first = stored.add(1, returns, 0.2)
    better = stored.add(13, noise.normal(0, 0.01, SESSIONS), 0.4)
    twins, history = Twins(stored, stored), History([first])
    for number in (3, 5):
        worse = stored.add(number, noise.normal(0, 0.01, SESSIONS), 0.1)
        assert twins.better(CAMPAIGN, worse, history) == ""
        history.append(worse)
    assert stored.read.count("t1-1") == 1
    # Iteration 13 has the template of the first one, is better, and takes its cell.
    history.append(better)
    worst = stored.add(15, noise.normal(0, 0.01, SESSIONS), 0.0)
    twins.better(CAMPAIGN, worst, history)
    assert 1 not in twins._known
    assert 13 in twins._known
