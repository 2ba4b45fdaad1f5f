"""Results of scaled symbols: traded in stored units, shown in the source's."""

from dataclasses import replace

import pytest
from tests.evaluation.hand_made import COSTLY, flat, order, panel, replay, spec

from stratlab.domain.market import Scale
from stratlab.domain.trial import EquityPoint, Outcome, TrialClaim
from stratlab.evaluation import HostEvaluator

PRICES = panel({"AAA": flat(1087.65, 1087.65, 1090.01, 1095.5, 1092.0)})
LOG = (order(1, 0, 42), order(2, 2, -42))


def settled(scales):
    repriced = replay(LOG, PRICES, COSTLY)
    points = zip(repriced.bars.tolist(), repriced.equity.tolist(), strict=True)
    claim = TrialClaim(
        "t-1",
        Outcome.SUCCEEDED,
        log=LOG,
        fills=repriced.fills,
        equity=tuple(EquityPoint(*point) for point in points),
    )
    prices = replace(PRICES, scales=scales)
    return HostEvaluator().settle(spec(prices, COSTLY), claim, prices)


@pytest.mark.parametrize("lot", [1000.0, 0.1])
def test_fills_are_in_the_units_of_the_source_and_nothing_else_changes(lot):
    plain, scaled = settled({}), settled({"AAA": Scale(lot, 1 / lot)})
    assert scaled.outcome is Outcome.SUCCEEDED
    for stored, shown in zip(plain.fills, scaled.fills, strict=True):
        assert shown.amount == pytest.approx(stored.amount * lot, rel=1e-15)
        assert shown.price == pytest.approx(stored.price / lot, rel=1e-15)
        assert shown.amount * shown.price == pytest.approx(stored.amount * stored.price, rel=1e-14)
        assert shown.commission == stored.commission
    assert scaled.equity == plain.equity
    assert scaled.metrics == plain.metrics
    assert scaled.benchmark_metrics == plain.benchmark_metrics
    assert scaled.orders_digest == plain.orders_digest


def test_whole_lots_stay_whole_numbers():
    (bought, sold) = settled({"AAA": Scale(1000.0, 0.001)}).fills
    assert (bought.amount, sold.amount) == (42_000, -42_000)
    assert isinstance(bought.amount, int)
    assert bought.price == pytest.approx(1.08765 * 1.01)


def test_scale_of_another_symbol_changes_nothing():
    assert settled({"BBB": Scale(1000.0, 0.001)}).fills == settled({}).fills


def test_forged_fill_of_a_scaled_symbol_is_found():
    repriced = replay(LOG, PRICES, COSTLY)
    forged = replace(repriced.fills[0], price=repriced.fills[0].price / 1000)
    points = zip(repriced.bars.tolist(), repriced.equity.tolist(), strict=True)
    claim = TrialClaim(
        "t-1",
        Outcome.SUCCEEDED,
        log=LOG,
        fills=(forged, repriced.fills[1]),
        equity=tuple(EquityPoint(*point) for point in points),
    )
    prices = replace(PRICES, scales={"AAA": Scale(1000.0, 0.001)})
    assert HostEvaluator().settle(spec(prices, COSTLY), claim, prices).outcome is Outcome.FORGED
