"""How often strategies without skill are accepted, and those with skill are, by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import beta
from tests.conftest import FULL_SIZE
from tests.statistics.series import YEAR

from stratlab.domain.returns import ExcessReturns, TrialReturns
from stratlab.evaluation.overfitting import CONFIDENCE, required_sharpe
from stratlab.evaluation.statistics.bounds import sharpe_bound
from stratlab.evaluation.statistics.deflation import deflated_sharpe, effective_trials

CAMPAIGNS = 2000 if FULL_SIZE else 120
SESSIONS, TRIALS = 500, 60

Maker = Callable[[np.random.Generator], np.ndarray]


def normal(random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((SESSIONS, TRIALS))


def crashing(random: np.random.Generator) -> np.ndarray:
    # Small gains and rare large losses: skewness -1.4, kurtosis 6, mean 0.
    return 2.0 - random.gamma(2.0, 1.0, (SESSIONS, TRIALS))


def clustered(random: np.random.Generator) -> np.ndarray:
    # Like a GARCH(1, 1) with Student's t.
    shocks = random.standard_t(6, (SESSIONS, TRIALS)) / 1.5**0.5
    variance, returns = np.ones(TRIALS), np.empty_like(shocks)
    for day, shock in enumerate(shocks):
        returns[day] = np.sqrt(variance) * shock
        variance = 0.05 + 0.1 * returns[day] ** 2 + 0.85 * variance
    return returns


def families(random: np.random.Generator) -> np.ndarray:
    # Parameters of few strategies: ten each, nearly the same bet.
    bases = np.repeat(random.standard_normal((SESSIONS, TRIALS // 10)), 10, axis=1)
    return 0.9**0.5 * bases + 0.1**0.5 * random.standard_normal((SESSIONS, TRIALS))


def best(values: np.ndarray) -> ExcessReturns:
    return ExcessReturns(values[:, (values.mean(axis=0) / values.std(axis=0)).argmax()], YEAR)


def is_accepted(returns: ExcessReturns, trials: int) -> bool:
    return deflated_sharpe(returns, trials).probability > CONFIDENCE


def upper_bound(accepted: int, tried: int) -> float:
    """Clopper and Pearson's one-sided 95 % upper bound of a rate."""
    return float(beta.ppf(0.95, accepted + 1, tried - accepted))


@pytest.mark.parametrize("make", [normal, crashing, clustered, families])
def test_best_of_many_without_skill_is_not_accepted(make: Maker) -> None:
    accepted = sum(
        is_accepted(best(make(np.random.default_rng(seed))), TRIALS) for seed in range(CAMPAIGNS)
    )
    assert upper_bound(accepted, CAMPAIGNS) <= 0.05


def test_raw_sharpe_ratio_of_the_best_without_skill_would_be_accepted_nearly_always() -> None:
    accepted = sum(is_accepted(best(normal(np.random.default_rng(seed))), 1) for seed in range(60))
    assert accepted > 50


@pytest.mark.parametrize(("annual", "power"), [(2.0, 0.5), (0.0, None)])
def test_skill_is_accepted_among_five_hundred_trials(annual: float, power: float | None) -> None:
    # Train and validation of us-daily together.
    sessions, found = 2150, []
    for seed in range(60):
        values = np.random.default_rng(seed).standard_normal(sessions) + annual / YEAR**0.5
        found.append(is_accepted(ExcessReturns(values, YEAR), 500))
    assert np.mean(found) > power if power is not None else not any(found)


@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_screen_makes_noise_pass_unless_its_points_are_counted(likeness: float) -> None:
    # Twelve candidates; of each the best of 64 points on train, which correlate, goes to the
    # sandbox and on to validation. Returns of deviation 1, so a mean is a Sharpe ratio.
    campaigns, candidates, screened, train, validation = 1500, 12, 64, 1400, 756
    random = np.random.default_rng(0)

    def means(sessions: int) -> np.ndarray:
        common = random.standard_normal((campaigns, candidates, 1))
        own = random.standard_normal((campaigns, candidates, screened))
        return (likeness**0.5 * common + (1 - likeness) ** 0.5 * own) / sessions**0.5

    first, second = means(train), means(validation)
    best_screened = first.argmax(axis=2)[:, :, None]
    ran, then = (np.take_along_axis(each, best_screened, axis=2) for each in (first, second))
    sharpes = ((train * ran + validation * then) / (train + validation)).max(axis=(1, 2))
    accepted = [
        float((sharpes > required_sharpe(trials, train + validation).value).mean())
        for trials in (candidates, candidates * screened)
    ]
    # Why `screened_count` is reported: see docs/adr/0011.
    assert accepted[0] > 0.05
    assert accepted[1] < 0.01


def climbed(seed: int, trials: int, likeness: float) -> tuple[np.ndarray, np.ndarray]:
    # Each trial is the best one so far, changed a little in whatever way: a search in a space in
    # which every change of the returns is a strategy. Selection sees the first 600 sessions.
    random = np.random.default_rng(seed)
    leader = random.standard_normal(1300)
    tried, highest = [leader], sharpe_seen(leader)
    for _ in range(trials - 1):
        other = random.standard_normal(1300)
        tried.append(likeness * leader + (1 - likeness**2) ** 0.5 * other)
        if (found := sharpe_seen(tried[-1])) > highest:
            leader, highest = tried[-1], found
    return np.stack(tried, axis=1), leader


def sharpe_seen(returns: np.ndarray) -> float:
    return float(returns[:600].mean() / returns[:600].std())


def test_climbing_without_bounds_passes_any_deflation_so_that_the_holdout_has_to_stop_it() -> None:
    campaigns, trials = 60 if not FULL_SIZE else 400, 80
    raw = effective = promoted = 0
    for seed in range(campaigns):
        table, leader = climbed(seed, trials, 0.9)
        seen = ExcessReturns(leader[:900], YEAR)
        raw += is_accepted(seen, trials)
        effective += is_accepted(seen, effective_trials(TrialReturns(table[:900], YEAR)))
        holdout = sharpe_bound(ExcessReturns(leader[900:], YEAR), seed=seed, resamples=300)
        promoted += holdout.lower.value > 0
    # The number of trials is no bound for a search that builds on what it found, least of all the
    # effective one. What was never looked at is: 5 %, and the luck of so few campaigns.
    assert effective > raw > 0
    assert promoted / campaigns <= float(beta.ppf(0.99, 0.05 * campaigns + 1, 0.95 * campaigns))
