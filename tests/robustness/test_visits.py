"""What is not visited when a trial is repriced would have changed nothing."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.markets import WARM_UP, random_market
from tests.evaluation.test_properties import random_log, window

from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.trial import Order, OrderKind, Phase
from stratlab.evaluation.fills_next_open import NextOpenFills
from stratlab.evaluation.fills_zipline import ZiplineFills
from stratlab.evaluation.repricing import reprice

CAPITAL = 1e6


def with_brackets(rng, market, log):
    """Add entries with legs behind a log: far ones, near ones, and some with one leg only."""
    placed, last = len([entry for entry in log if isinstance(entry, Order)]), len(market.days) - 1
    for row in sorted(rng.integers(WARM_UP, last, 8).tolist()):
        bar = int(market.panel.bars[row])
        column = int(rng.integers(3))
        close = market.panel.close[row, column]
        if np.isnan(close):
            continue
        symbol, amount = market.panel.symbols[column], int(rng.choice([-1, 1]) * rng.integers(1, 9))
        placed += 1
        entry = placed
        log.append(Order(entry, bar, Phase.BAR, symbol, amount, OrderKind.MARKET))
        for kind in (OrderKind.BRACKET_STOP, OrderKind.BRACKET_TAKE):
            if rng.random() < 0.8:
                placed += 1
                distance = float(close * rng.uniform(0.005, 0.2))
                log.append(
                    Order(
                        placed, bar, Phase.BAR, symbol, -amount, kind,
                        parent=entry, distance=distance,
                    )
                )  # fmt: skip
    return sorted(log, key=lambda entry: (entry.bar, entry.phase is Phase.BAR))


@pytest.mark.parametrize("kind", CostModelKind)
@given(seed=st.integers(0, 2**32 - 1))
def test_visiting_every_bar_gives_the_same_to_the_last_bit(kind, seed):
    rng = np.random.default_rng(seed)
    market = random_market(rng)
    log = random_log(rng, market)
    if kind is CostModelKind.NEXT_OPEN:
        log = with_brackets(rng, market, log)
    arguments = (log, market.panel, window(market), CAPITAL, CostModel(kind))
    lazy = reprice(*arguments)
    model = NextOpenFills if kind is CostModelKind.NEXT_OPEN else ZiplineFills
    with patch.object(model, "reach", lambda self, book: None):
        eager = reprice(*arguments)
    assert lazy.fills == eager.fills
    assert [fill.ambiguous for fill in lazy.fills] == [fill.ambiguous for fill in eager.fills]
    assert lazy.profits == eager.profits
    for name in ("amounts", "cash", "equity", "leverage"):
        np.testing.assert_array_equal(getattr(lazy, name), getattr(eager, name))


def test_resting_order_far_from_the_market_costs_no_visits():
    rng = np.random.default_rng(3)
    market = random_market(rng)
    bar = int(market.panel.bars[WARM_UP])
    log = [
        Order(number, bar, Phase.BAR, "AAA", 1, OrderKind.LIMIT, limit_price=0.01)
        for number in range(1, 30)
    ]
    costs = CostModel()
    with patch.object(NextOpenFills, "executions", wraps=None) as executions:
        executions.side_effect = lambda book, bar: iter(())
        reprice(log, market.panel, window(market), CAPITAL, costs)
    actions = sum(item.symbol == "AAA" for item in (*market.panel.splits, *market.panel.dividends))
    assert executions.call_count <= actions + 1
