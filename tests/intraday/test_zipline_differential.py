"""Random order streams over intraday bars under real zipline, against the host's repricing."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from tests.evaluation.hand_made import spec
from tests.evaluation.markets import SYMBOLS, WARM_UP, random_market, random_script
from tests.evaluation.test_zipline_differential import (
    CAPITAL,
    COSTS,
    EXPECTED,
    LIMITS,
    read_entry,
    read_fill,
    run_zipline,
    scenario,
)
from tests.intraday.worlds import START, random_world

from stratlab.domain.market import CostModelKind, MarketSet, Tier, Window
from stratlab.domain.trial import EquityPoint, Order, Outcome, TrialClaim
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice
from stratlab.market_data.calendars import sessions_between

# Calendar, timeframe and how many random worlds; the exchange is the one with splits and
# dividends, and the second timeframe makes many more bars a session.
WORLDS = (
    ("XNYS", "1h", 4),
    ("XNYS", "15m", 1),
    ("CMES", "4h", 1),
    ("24/5", "4h", 1),
    ("24/7", "2h", 1),
)


def compare(cases, costs, folder):
    """Run scripts under zipline and compare; returns how many orders of each kind were filled."""
    io = folder / "io"
    io.mkdir()
    results = run_zipline([scenario(*case, costs) for case in cases], io)
    seen = Counter()
    for (world, _), result in zip(cases, results, strict=True):
        panel, window = world.panel, Window(Tier.TRAIN, world.days[WARM_UP], world.days[-1])
        log = tuple(read_entry(entry) for entry in result["log"])
        repriced = reprice(log, panel, window, CAPITAL, costs)
        reported = tuple(read_fill(fill) for fill in result["fills"])
        assert sorted(reported, key=lambda fill: (fill.bar, fill.number)) == list(repriced.fills)
        bars, values = zip(*result["equity"], strict=True)
        ends = repriced.ends
        assert list(bars) == repriced.bars[ends].tolist()
        np.testing.assert_allclose(repriced.equity[ends], values, rtol=0, atol=1e-9 * CAPITAL)
        np.testing.assert_allclose(repriced.leverage[ends], result["leverage"], rtol=1e-9)
        claim = TrialClaim(
            "t-1",
            Outcome.SUCCEEDED,
            log=log,
            fills=reported,
            equity=tuple(map(EquityPoint, bars, values)),
        )
        market = MarketSet("random", SYMBOLS)
        trial = spec(panel, costs, market=market, window=window, capital=CAPITAL)
        settled = HostEvaluator().settle(trial, claim, panel, LIMITS)
        assert settled.outcome is Outcome.SUCCEEDED, settled.reason
        kinds = {entry.number: entry.kind for entry in log if isinstance(entry, Order)}
        seen.update(kinds[fill.number] for fill in reported)
    return seen


@pytest.mark.docker
@pytest.mark.parametrize("kind", list(CostModelKind))
def test_repricing_of_intraday_bars_equals_zipline(kind, tmp_path, full_size):
    brackets, cases = kind is CostModelKind.NEXT_OPEN, []
    for calendar, timeframe, count in WORLDS:
        for number in range(count * 20 if full_size else count):
            rng = np.random.default_rng([number, len(cases)])
            world = random_world(rng, tmp_path / f"{len(cases)}", calendar, timeframe)
            steps = int(rng.integers(50, 200))
            cases.append((world, random_script(rng, world, steps, brackets=brackets)))
    seen = compare(cases, COSTS[kind], tmp_path)
    assert {kind for kind, count in seen.items() if count >= 20} == EXPECTED[kind]


@pytest.mark.docker
@pytest.mark.parametrize("kind", list(CostModelKind))
def test_repricing_of_daily_bars_equals_zipline_around_the_clock(kind, tmp_path, full_size):
    """Zipline's clock stands on the next day when such a session has ended."""
    cases = []
    for calendar in ("CMES", "24/5", "24/7"):
        days = sessions_between(calendar, START, START + timedelta(days=150))[:60]
        for seed in range(100 if full_size else 3):
            rng = np.random.default_rng([seed, len(calendar)])
            market = random_market(rng, calendar=calendar, days=[day.date() for day in days])
            steps = int(rng.integers(10, 150))
            brackets = kind is CostModelKind.NEXT_OPEN
            cases.append((market, random_script(rng, market, steps, brackets=brackets)))
    assert sum(compare(cases, COSTS[kind], tmp_path).values()) > 100


@pytest.mark.docker
def test_harness_ends_a_trial_at_the_very_bar_of_too_much_leverage(tmp_path):
    costs, bound, cases = COSTS[CostModelKind.NEXT_OPEN], 0.2, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        world = random_world(rng, tmp_path / f"{seed}", count=40)
        cases.append((world, random_script(rng, world, 15, brackets=True)))
    io = tmp_path / "io"
    io.mkdir()
    results = run_zipline([scenario(*case, costs, bound) for case in cases], io)
    inside = 0
    for (world, _), result in zip(cases, results, strict=True):
        log = [read_entry(entry) for entry in result["log"]]
        window = Window(Tier.TRAIN, world.days[WARM_UP], world.days[-1])
        repriced = reprice(log, world.panel, window, CAPITAL, costs)
        above = np.flatnonzero(repriced.leverage > bound)
        if len(result["equity"]) == len(repriced.ends):
            assert len(above) == 0
        else:
            assert repriced.bars[above[0]] == result["stopped_at"]
            inside += above[0] not in repriced.ends
    assert inside > 3
