"""From a claim to a result: what is believed, what is refused, and how it is named."""

from dataclasses import replace

import pytest
from tests.evaluation.hand_made import (
    CAPITAL,
    COSTLY,
    ZIPLINE,
    bar,
    cancel,
    day,
    flat,
    order,
    panel,
    replay,
    spec,
    window,
)

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.trial import (
    EquityPoint,
    Fill,
    Limits,
    OrderKind,
    Outcome,
    SandboxIdentity,
    StrategyFailure,
    TrialClaim,
    Usage,
)
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.order_log import orders_digest

PRICES = panel({"AAA": flat(100, 100, 110, 120, 90)})
LOG = (order(1, 0, 100), order(2, 2, -100))


def honest_claim(log=LOG, prices=PRICES, costs=COSTLY):
    repriced = replay(log, prices, costs)
    points = zip(repriced.bars.tolist(), repriced.equity.tolist(), strict=True)
    return TrialClaim(
        "t-1",
        Outcome.SUCCEEDED,
        log=tuple(log),
        fills=repriced.fills,
        equity=tuple(EquityPoint(*point) for point in points),
        output_tail="done",
        usage=Usage(1.0, 0.5, 1000, 0.1),
        sandbox=SandboxIdentity("m-1", "sha256:1", "runc", "abc"),
    )


def settle(claim, prices=PRICES, costs=COSTLY, limits=Limits()):  # noqa: B008 - frozen
    return HostEvaluator().settle(spec(prices, costs), claim, prices, limits)


def test_honest_claim_succeeds_with_the_hosts_own_figures():
    claim = honest_claim()
    result = settle(claim)
    repriced = replay(LOG, PRICES, COSTLY)
    assert result.outcome is Outcome.SUCCEEDED
    assert result.fills == repriced.fills
    assert [point.value for point in result.equity] == repriced.equity.tolist()
    assert result.metrics.total_trades == 1
    assert result.metrics.cum_returns_final == pytest.approx(repriced.equity[-1] / CAPITAL - 1)
    assert result.max_leverage == pytest.approx(repriced.leverage.max())
    assert result.benchmark_metrics.total_trades == 0
    assert [point.bar for point in result.benchmark_equity] == [bar(row) for row in range(5)]
    assert result.orders_digest == orders_digest(LOG)
    assert (result.output_tail, result.usage, result.sandbox) == (
        claim.output_tail,
        claim.usage,
        claim.sandbox,
    )


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.SUCCEEDED])
def test_any_other_outcome_passes_through_without_figures(outcome):
    failure = StrategyFailure("ValueError", "no", 3, "x = 1")
    claim = replace(honest_claim(), outcome=outcome, reason="because", failure=failure)
    result = settle(claim)
    assert (result.outcome, result.reason, result.failure) == (outcome, "because", failure)
    assert result.metrics is result.benchmark_metrics is None
    assert result.fills == result.equity == ()
    assert result.orders_digest == ""


def test_impossible_log_is_a_protocol_violation():
    result = settle(replace(honest_claim(), log=(order(1, 0, 100, symbol="ZZZ"),)))
    assert result.outcome is Outcome.PROTOCOL_VIOLATION
    assert "outside the market set" in result.reason
    assert result.metrics is None


@pytest.mark.parametrize("costs", [COSTLY, ZIPLINE])
@pytest.mark.parametrize("row", [2, 4])
def test_orders_changed_with_a_bar_in_sight_are_a_protocol_violation(costs, row):
    # All of the claim is right, but no honest container lets a strategy act at that moment.
    cancelled = (order(1, row - 1, 100), cancel(1, row, early=True))
    for log in (cancelled, (order(1, row, 100, early=True),)):
        result = settle(honest_claim(log, costs=costs), costs=costs)
        assert result.outcome is Outcome.PROTOCOL_VIOLATION
        assert "not by initialize" in result.reason
        assert result.metrics is None


def test_order_of_initialize_is_believed():
    log = (order(1, 0, 100, early=True),)
    result = settle(honest_claim(log))
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    assert [fill.bar for fill in result.fills] == [bar(0)]


def test_symbol_outside_the_market_set_is_a_protocol_violation():
    prices = panel({"AAA": flat(1, 1), "BBB": flat(2, 2)})
    log = (order(1, 0, 1, symbol="BBB"),)
    trial = spec(prices, COSTLY)
    trial = replace(trial, market=replace(trial.market, symbols=("AAA",)))
    result = HostEvaluator().settle(trial, honest_claim(log, prices), prices)
    assert result.outcome is Outcome.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    "equity",
    [
        (),
        honest_claim().equity[:-1],
        (*honest_claim().equity, EquityPoint(bar(5), 1.0)),
        (*honest_claim().equity[1:], honest_claim().equity[0]),
    ],
)
def test_equity_of_other_bars_is_a_protocol_violation(equity):
    result = settle(replace(honest_claim(), equity=equity))
    assert result.outcome is Outcome.PROTOCOL_VIOLATION
    assert "each of the window's 5 sessions" in result.reason


def test_fill_outside_the_window_is_a_protocol_violation():
    claim = honest_claim()
    stray = Fill(1, bar(7), "AAA", 1, 1.0, 0.0)
    result = settle(replace(claim, fills=(*claim.fills, stray)))
    assert result.outcome is Outcome.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 101},
        {"price": 101.0 * (1 + 3e-9)},
        {"commission": 1.0 + 3e-9},
        {"price": float("nan")},
        {"commission": float("nan")},
        {"symbol": "BBB"},
        {"number": 2},
    ],
)
def test_fill_that_differs_is_forged_and_names_the_bar(change):
    claim = honest_claim()
    fills = (replace(claim.fills[0], **change), *claim.fills[1:])
    result = settle(replace(claim, fills=fills))
    assert result.outcome is Outcome.FORGED
    assert result.reason.startswith(f"bar {bar(1)}: the container reports fill of order")
    assert result.metrics is None


@pytest.mark.parametrize("fills", [(), honest_claim().fills[:1], honest_claim().fills * 2])
def test_fills_that_are_missing_or_too_many_are_forged(fills):
    assert settle(replace(honest_claim(), fills=fills)).outcome is Outcome.FORGED


def test_fills_may_be_reported_in_any_order_within_the_trial():
    claim = honest_claim()
    assert settle(replace(claim, fills=claim.fills[::-1])).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("value", [1e6, float("nan"), 100_000 * (1 + 3e-9)])
def test_equity_that_differs_is_forged_and_names_the_first_bar(value):
    claim = honest_claim(log=())
    equity = tuple(
        EquityPoint(point.bar, value if row >= 3 else point.value)
        for row, point in enumerate(claim.equity)
    )
    result = settle(replace(claim, equity=equity))
    assert result.outcome is Outcome.FORGED
    assert result.reason.startswith(f"bar {bar(3)}: the container reports equity")
    assert result.reason.endswith("the host has 100000.0")


def test_equity_within_a_billionth_of_the_capital_is_accepted():
    claim = honest_claim()
    equity = tuple(EquityPoint(point.bar, point.value + 0.9e-4) for point in claim.equity)
    assert settle(replace(claim, equity=equity)).outcome is Outcome.SUCCEEDED


def test_profit_without_an_order_is_forged():
    points = tuple(EquityPoint(bar(row), CAPITAL * 1.5**row) for row in range(5))
    result = settle(TrialClaim("t-1", Outcome.SUCCEEDED, equity=points))
    assert result.outcome is Outcome.FORGED


def test_leverage_above_the_limit_is_forged_even_when_all_numbers_are_right():
    log = (order(1, 0, 1500),)
    claim = honest_claim(log)
    result = settle(claim)
    assert result.outcome is Outcome.SUCCEEDED
    assert result.max_leverage == pytest.approx(replay(log, PRICES, COSTLY).leverage.max())
    result = settle(claim, limits=Limits(max_leverage=1.5))
    assert result.outcome is Outcome.FORGED
    assert result.reason.startswith(f"bar {bar(1)}: leverage 1.52")


def test_leverage_at_the_limit_is_accepted():
    prices = panel({"AAA": flat(100, 100, 100)})
    free = CostModel(slippage_bps=0, commission_per_share=0, volume_limit=1.0)
    claim = honest_claim((order(1, 0, 2000),), prices, free)
    assert settle(claim, prices, free).outcome is Outcome.SUCCEEDED


def test_account_below_zero_passes_the_leverage_limit_as_it_does_in_zipline():
    prices = panel({"AAA": flat(100, 100, 250)})
    log = (order(1, 0, -1000),)
    result = settle(honest_claim(log, prices), prices, limits=Limits(max_leverage=2.0))
    assert result.outcome is Outcome.SUCCEEDED
    assert result.metrics.sharpe_ratio is None
    assert result.metrics.max_drawdown < -1


def test_zipline_cost_model_refuses_bracket_legs():
    leg = order(2, 0, -100, OrderKind.BRACKET_STOP, parent=1, distance=5.0)
    claim = replace(honest_claim(), log=(order(1, 0, 100), leg))
    result = settle(claim, costs=CostModel(CostModelKind.ZIPLINE))
    assert result.outcome is Outcome.PROTOCOL_VIOLATION


def test_log_that_would_keep_the_host_busy_is_refused(monkeypatch):
    monkeypatch.setattr("stratlab.evaluation.repricing.MAX_VISITS", 100)
    # Too large for any bar, so that every bar looks at them again.
    resting = [order(number, 0, 10**10) for number in range(1, 50)]
    result = settle(honest_claim(tuple(resting[:20])))
    assert result.outcome is Outcome.SUCCEEDED
    result = settle(replace(honest_claim(), log=tuple(resting)))
    assert result.outcome is Outcome.PROTOCOL_VIOLATION
    assert "looked at 100 times" in result.reason
    monkeypatch.setattr("stratlab.evaluation.order_log.MAX_ENTRIES", 10)
    result = settle(replace(honest_claim(), log=tuple(resting)))
    assert "has 49 entries, more than 10" in result.reason


def test_window_without_a_session_is_our_own_error():
    nowhere = replace(window(PRICES), start=day(100), end=day(200))
    with pytest.raises(InvalidSpecError):
        HostEvaluator().settle(spec(PRICES, window=nowhere), honest_claim(), PRICES)
