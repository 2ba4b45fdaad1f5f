"""The numpy evaluator against real trials of the sandbox, on the built-in data."""

from datetime import UTC, datetime

import pytest
from tests.sandbox.real import open_real_sandbox
from tests.vectorised.panels import CAPITAL, vectorised_fills

from stratlab.contract.vectorised import screen_grid
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialPurpose, TrialSpec
from stratlab.evaluation.repricing import window_rows
from stratlab.evaluation.settlement import settle_claim
from stratlab.generation import load_templates
from stratlab.market_data import Catalogue

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

# MSFT and AAPL split in the window, IBM does not; IBM and MSFT pay dividends, GOOG lists in it.
ALL = ("AAPL", "GOOG", "IBM", "MSFT")
TRIALS = {
    "ema_cross_atr": (
        (("IBM",), {}),
        (ALL, {"fast_length": 7, "slow_length": 45, "stop_mult": 1.5}),
    ),
    "macd_trend": ((ALL, {"fast": 6, "slow": 20, "trail_mult": 2.0}),),
}


async def test_screened_points_trade_as_in_the_sandbox(us_daily_home):
    catalogue = Catalogue(us_daily_home)
    tier = catalogue.get("us-daily").tiers[Tier.TRAIN]
    window = Window(Tier.TRAIN, tier.start, tier.end)
    async with open_real_sandbox(us_daily_home) as real:
        for name in TRIALS:
            contract, trials = load_templates()[name], _trials(name, window)
            batch = TrialBatch("parity", compile_to_zipline(contract), trials, Limits())
            claims = await real.sandbox.run(batch, lambda _: None)
            for trial, claim in zip(trials, claims, strict=True):
                prices = catalogue.prices(trial.market, Tier.TRAIN)
                result = settle_claim(trial, claim, prices, Limits())
                assert result.outcome is Outcome.SUCCEEDED, result.reason
                _compare(contract, trial, result, prices)


def _trials(name, window):
    return tuple(
        TrialSpec(
            trial_id=f"{name}-{index}",
            index=index,
            purpose=TrialPurpose.ADHOC,
            market=MarketSet("us-daily", symbols),
            window=window,
            parameters={**load_templates()[name].parameters, **point},
            capital=CAPITAL,
            cost_model=CostModel(),
        )
        for index, (symbols, point) in enumerate(TRIALS[name])
    )


def _compare(contract, trial, result, prices):
    first, point = window_rows(prices, trial.window).start, dict(trial.parameters)
    (fills,) = vectorised_fills(contract, prices, [point], first)
    found = [
        (_session(int(prices.bars[row])), symbol, amount, pytest.approx(price, rel=1e-9))
        for row, symbol, amount, price in fills
    ]
    real = sorted((fill.bar, fill.symbol, fill.amount, fill.price) for fill in result.fills)
    assert [(_session(bar), *rest) for bar, *rest in real] == found
    assert len(found) > 10
    grid = screen_grid(
        contract, prices, [point], first_bar=first, capital=CAPITAL, cost_model=CostModel()
    )
    metrics = result.metrics
    assert grid.final_return[0] == pytest.approx(metrics.cum_returns_final, rel=1e-9)
    assert grid.sharpe_ratio[0] == pytest.approx(metrics.sharpe_ratio, rel=1e-9)
    assert grid.max_drawdown[0] == pytest.approx(metrics.max_drawdown, rel=1e-9)
    assert grid.max_leverage[0] == pytest.approx(result.max_leverage, rel=1e-9)
    assert grid.trades[0] == metrics.total_trades
    assert grid.turnover[0] == pytest.approx(metrics.turnover, rel=1e-9)


def _session(bar):
    return datetime.fromtimestamp(bar, UTC).date().isoformat()
