"""Random order streams over intraday bars under real zipline, against the host's repricing."""

from collections import Counter

import numpy as np
import pytest
from tests.evaluation.hand_made import spec
from tests.evaluation.markets import SYMBOLS, WARM_UP, random_script
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
from tests.intraday.worlds import random_world

from stratlab.domain.market import CostModelKind, MarketSet, Tier, Window
from stratlab.domain.trial import EquityPoint, Order, Outcome, TrialClaim
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice

# Calendar, timeframe and how many random worlds; the exchange is the one with splits and
# dividends, and the second timeframe makes many more bars a session.
WORLDS = [
    ("XNYS", "1h", 12),
    ("XNYS", "15m", 2),
    ("CMES", "4h", 4),
    ("24/5", "4h", 4),
    ("24/7", "1h", 3),
]


@pytest.mark.docker
@pytest.mark.parametrize("kind", list(CostModelKind))
def test_repricing_equals_zipline_fill_by_fill_and_session_by_session(kind, tmp_path, full_size):
    costs, cases = COSTS[kind], []
    for calendar, timeframe, count in WORLDS:
        for number in range(count * 20 if full_size else count):
            rng = np.random.default_rng([number, len(cases)])
            home = tmp_path / f"{len(cases)}"
            world = random_world(rng, home, calendar, timeframe)
            steps = int(rng.integers(50, 200))
            brackets = kind is CostModelKind.NEXT_OPEN
            cases.append((world, random_script(rng, world, steps, brackets=brackets)))
    io = tmp_path / "io"
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
        assert list(bars) == repriced.bars[repriced.ends].tolist()
        np.testing.assert_allclose(
            repriced.equity[repriced.ends], values, rtol=0, atol=1e-9 * CAPITAL
        )
        np.testing.assert_allclose(repriced.leverage[repriced.ends], result["leverage"], rtol=1e-9)
        claim = TrialClaim(
            "t-1",
            Outcome.SUCCEEDED,
            log=log,
            fills=reported,
            equity=tuple(map(EquityPoint, bars, values)),
        )
        trial = spec(
            panel,
            costs,
            market=MarketSet("random", SYMBOLS, world.timeframe),
            window=window,
            capital=CAPITAL,
        )
        settled = HostEvaluator().settle(trial, claim, panel, LIMITS)
        assert settled.outcome is Outcome.SUCCEEDED, settled.reason
        kinds = {entry.number: entry.kind for entry in log if isinstance(entry, Order)}
        seen.update(kinds[fill.number] for fill in reported)
    assert {kind for kind, count in seen.items() if count >= 20} == EXPECTED[kind]
