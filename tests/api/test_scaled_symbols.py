"""Scaled symbols on the wire: fills in the source's units, scales in the data set."""

from dataclasses import replace
from datetime import date

import pytest
from tests.api.samples import RESULT

from stratlab.api.convert.market import data_set_to_proto
from stratlab.api.convert.trial import trial_to_proto
from stratlab.cli.backtest_record import backtest_record
from stratlab.domain.market import DataSet, Scale, Tier, TierRange
from stratlab.domain.trial import Fill, Limits
from stratlab_proto.v1 import backtest_service_pb2


@pytest.mark.parametrize(
    ("amount", "whole", "shown"), [(100, 100, 100), (-42_000, -42_000, -42_000), (-0.3, 0, -0.3)]
)
def test_fill_has_whole_and_exact_amount(amount: float, whole: int, shown: float) -> None:
    fill = Fill(1, 991353600, "AAPL", amount, 10.5, 0.1)
    trial = trial_to_proto(replace(RESULT, fills=(fill,)), Limits(), with_series=True)
    assert (trial.fills[0].amount, trial.fills[0].quantity) == (whole, amount)
    record = backtest_record(backtest_service_pb2.BacktestResult(trial=trial, caveats=["mind"]))
    assert record["fills"][0]["amount"] == shown
    assert isinstance(record["fills"][0]["amount"], type(shown))
    assert "quantity" not in record["fills"][0]
    assert record["caveats"] == ["mind"]


def test_data_set_tells_its_scales() -> None:
    data_set = DataSet(
        name="fx",
        digest="0" * 64,
        symbols=("EURUSD", "SPX"),
        timeframe="1d",
        calendar="XNYS",
        warm_up_start=date(2010, 1, 4),
        tiers={Tier.TRAIN: TierRange(date(2010, 2, 1), date(2011, 2, 1))},
        provenance="test",
        scales={"EURUSD": Scale(1000.0, 0.001)},
    )
    (scale,) = data_set_to_proto(data_set).scales
    assert (scale.symbol, scale.price, scale.volume) == ("EURUSD", 1000.0, 0.001)
