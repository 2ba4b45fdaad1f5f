"""What holds for every order stream: conservation, scaling, independence, and no way to lie."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.hand_made import spec
from tests.evaluation.markets import SYMBOLS, WARM_UP, random_market

from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, Window
from stratlab.domain.trial import (
    Cancel,
    EquityPoint,
    Limits,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialClaim,
)
from stratlab.domain.valuation import closing_prices
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.order_log import find_impossible
from stratlab.evaluation.repricing import reprice

CAPITAL = 1e6
LEVELS = {
    OrderKind.MARKET: (False, False),
    OrderKind.LIMIT: (True, False),
    OrderKind.STOP: (False, True),
    OrderKind.STOP_LIMIT: (True, True),
}


def random_log(rng, market, *, cancels=True, kinds=tuple(LEVELS)):
    """A possible log: orders of any kind before the first bar and after all, and cancels."""
    panel, log, placed = market.panel, [], 0
    moments = sorted(
        (int(row) if late else WARM_UP, late)
        for row, late in zip(
            rng.integers(WARM_UP, len(market.days), 60), rng.random(60) < 0.8, strict=True
        )
    )
    for row, late in moments:
        bar, phase = int(panel.bars[row]), Phase.BAR if late else Phase.BEFORE_OPEN
        column = int(rng.integers(len(SYMBOLS)))
        close = panel.close[row, column]
        if cancels and placed and rng.random() < 0.2:
            log.append(Cancel(int(rng.integers(1, placed + 1)), bar, phase))
        elif not np.isnan(close):
            placed += 1
            kind = kinds[int(rng.integers(len(kinds)))]
            limit, stop = (float(close * rng.uniform(0.95, 1.05)) for _ in range(2))
            has_limit, has_stop = LEVELS[kind]
            log.append(
                Order(
                    placed,
                    bar,
                    phase,
                    SYMBOLS[column],
                    int(rng.integers(1, 3000)) * int(rng.choice([-1, 1])),
                    kind,
                    limit if has_limit else None,
                    stop if has_stop else None,
                )
            )
    return log


def window(market):
    return Window(Tier.TRAIN, market.days[WARM_UP], market.days[-1])


cases = st.builds(
    lambda seed, kind: (np.random.default_rng(seed), CostModel(kind)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(list(CostModelKind)),
)


@given(cases)
def test_equity_is_cash_plus_positions_and_cash_is_conserved(case):
    rng, costs = case
    market = random_market(rng)
    # Without corporate actions cash moves by fills and delistings alone.
    panel = replace(market.panel, splits=(), dividends=())
    log = random_log(rng, market)
    repriced = reprice(log, panel, window(market), CAPITAL, costs)
    marks = np.nan_to_num(closing_prices(panel)[WARM_UP:])
    value = (repriced.amounts * marks).sum(axis=1)
    np.testing.assert_allclose(repriced.equity, repriced.cash + value, atol=1e-6)
    row_of = {int(bar): row for row, bar in enumerate(repriced.bars)}
    held = np.zeros_like(repriced.amounts)
    paid = np.zeros(len(repriced.bars))
    for fill in repriced.fills:
        row, column = row_of[fill.bar], SYMBOLS.index(fill.symbol)
        held[row:, column] += fill.amount
        paid[row:] += fill.amount * fill.price + fill.commission
    closed = row_of[panel.auto_close["CCC"]]
    paid[closed:] -= held[closed - 1, 2] * marks[closed, 2]
    held[closed:, 2] = 0
    np.testing.assert_array_equal(repriced.amounts, held)
    np.testing.assert_allclose(repriced.cash, CAPITAL - paid, atol=1e-6)


@given(cases)
def test_no_orders_leave_the_account_flat_whatever_the_market_does(case):
    rng, costs = case
    market = random_market(rng)
    repriced = reprice([], market.panel, window(market), CAPITAL, costs)
    assert set(repriced.equity.tolist()) == {CAPITAL}
    assert not repriced.leverage.any()


@given(cases, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_scaling_all_prices_and_the_capital_scales_the_equity(case, factor):
    rng, costs = case
    market = random_market(rng)
    # Splits round money to cents, and a fee per share is not a price.
    panel = replace(market.panel, splits=(), dividends=())
    costs = replace(costs, commission_per_share=0.0)
    if costs.kind is CostModelKind.ZIPLINE:
        costs = CostModel(slippage_bps=0.0, commission_per_share=0.0)
    log = random_log(rng, market)
    scaled = replace(
        panel,
        **{name: getattr(panel, name) * factor for name in ("open", "high", "low", "close")},
    )
    levels = [
        entry
        if isinstance(entry, Cancel)
        else replace(
            entry,
            limit_price=entry.limit_price and entry.limit_price * factor,
            stop_price=entry.stop_price and entry.stop_price * factor,
        )
        for entry in log
    ]
    first = reprice(log, panel, window(market), CAPITAL, costs)
    second = reprice(levels, scaled, window(market), CAPITAL * factor, costs)
    np.testing.assert_array_equal(first.amounts, second.amounts)
    np.testing.assert_allclose(first.equity * factor, second.equity, rtol=1e-12, atol=1e-6)


@given(cases)
def test_order_of_entries_of_different_symbols_does_not_matter(case):
    rng, costs = case
    market = random_market(rng)
    log = random_log(rng, market, cancels=False)
    moments = {}
    for entry in log:
        moments.setdefault((entry.bar, entry.phase is Phase.BAR), []).append(entry)
    shuffled = [
        entry
        for _, entries in sorted(moments.items())
        for entry in sorted(entries, key=lambda entry: entry.symbol, reverse=True)
    ]
    renumbered = [replace(entry, number=number) for number, entry in enumerate(shuffled, 1)]
    first = reprice(log, market.panel, window(market), CAPITAL, costs)
    second = reprice(renumbered, market.panel, window(market), CAPITAL, costs)
    np.testing.assert_array_equal(first.amounts, second.amounts)
    np.testing.assert_allclose(first.equity, second.equity, rtol=0, atol=1e-6)


@given(cases, st.data())
def test_honest_claim_is_believed_and_any_lie_is_not(case, data):
    rng, costs = case
    market = random_market(rng)
    log = tuple(random_log(rng, market))
    repriced = reprice(log, market.panel, window(market), CAPITAL, costs)
    points = zip(repriced.bars.tolist(), repriced.equity.tolist(), strict=True)
    honest = TrialClaim(
        "t-1",
        Outcome.SUCCEEDED,
        log=log,
        fills=repriced.fills,
        equity=tuple(EquityPoint(*point) for point in points),
    )
    trial = spec(
        market.panel,
        costs,
        market=MarketSet("random", SYMBOLS),
        window=window(market),
        capital=CAPITAL,
    )

    def outcome(claim):
        limits = Limits(max_leverage=1e12)
        return HostEvaluator().settle(trial, claim, market.panel, limits).outcome

    assert outcome(honest) is Outcome.SUCCEEDED
    row = data.draw(st.integers(0, len(honest.equity) - 1))
    better = replace(honest.equity[row], value=honest.equity[row].value + 1.0)
    equity = (*honest.equity[:row], better, *honest.equity[row + 1 :])
    assert outcome(replace(honest, equity=equity)) is Outcome.FORGED
    if honest.fills:
        chosen = data.draw(st.integers(0, len(honest.fills) - 1))
        without = honest.fills[:chosen] + honest.fills[chosen + 1 :]
        assert outcome(replace(honest, fills=without)) is Outcome.FORGED
        cheaper = replace(honest.fills[chosen], price=honest.fills[chosen].price * 0.999)
        fills = (*honest.fills[:chosen], cheaper, *honest.fills[chosen + 1 :])
        assert outcome(replace(honest, fills=fills)) is Outcome.FORGED


entries = st.one_of(
    st.builds(
        Order,
        number=st.integers(-1, 4),
        bar=st.integers(-1, 3),
        phase=st.sampled_from(Phase),
        symbol=st.sampled_from(["AAA", "BBB", "", "ZZZ"]),
        amount=st.integers(-(10**12), 10**12),
        kind=st.sampled_from(OrderKind),
        limit_price=st.none() | st.floats(),
        stop_price=st.none() | st.floats(),
        parent=st.none() | st.integers(-1, 4),
        distance=st.none() | st.floats(),
    ),
    st.builds(
        Cancel,
        number=st.integers(-1, 4),
        bar=st.integers(-1, 3),
        phase=st.sampled_from(Phase),
    ),
)


@given(st.lists(entries, max_size=6), st.sampled_from(CostModelKind))
def test_any_log_is_refused_or_can_be_repriced(log, kind):
    market = random_market(np.random.default_rng(1))
    first = int(market.panel.bars[WARM_UP])
    log = [replace(entry, bar=first + entry.bar * 86_400) for entry in log]
    bars = {int(bar): row for row, bar in enumerate(market.panel.bars[WARM_UP:])}
    if find_impossible(log, bars, SYMBOLS, kind) is None:
        repriced = reprice(log, market.panel, window(market), CAPITAL, CostModel(kind))
        assert np.isfinite(repriced.equity).all()


@given(cases)
def test_metrics_are_finite_or_undefined_for_any_stream(case):
    rng, costs = case
    market = random_market(rng)
    log = random_log(rng, market)
    repriced = reprice(log, market.panel, window(market), 50_000.0, costs)
    metrics = compute_metrics(repriced, 50_000.0)
    for name in metrics.__dataclass_fields__:
        value = getattr(metrics, name)
        assert value is None or np.isfinite(value), name
    assert metrics.max_drawdown is not None
    assert metrics.max_drawdown <= 0
    assert metrics.win_rate is None or 0 <= metrics.win_rate <= 1
    assert metrics.total_trades == len(repriced.profits)
    assert repriced.equity[0] == pytest.approx(
        repriced.cash[0] + np.nansum(repriced.amounts[0] * closing_prices(market.panel)[WARM_UP])
    )
