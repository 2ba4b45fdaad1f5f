"""A trial gives the same orders and the same portfolio value under every runtime."""

from collections.abc import Callable
from datetime import date

import pytest

from stratlab.abuse.bench import Bench
from stratlab.api.convert.values import date_to_proto
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation.templates import load_templates
from stratlab_proto.v1 import common_pb2

# One of zipline's own published examples, as its users write it.
DUAL_MOVING_AVERAGE = """
from zipline.api import order_target, record, symbol


def initialize(context):
    context.sym = symbol("AAPL")
    context.i = 0


def handle_data(context, data):
    context.i += 1
    if context.i < 300:
        return
    short_mavg = data.history(context.sym, "price", 100, "1d").mean()
    long_mavg = data.history(context.sym, "price", 300, "1d").mean()
    if short_mavg > long_mavg:
        order_target(context.sym, 100)
    elif short_mavg < long_mavg:
        order_target(context.sym, 0)
    record(AAPL=data.current(context.sym, "price"), short_mavg=short_mavg, long_mavg=long_mavg)
"""
SOURCES = {
    "ema_cross_atr": (compile_to_zipline(load_templates()["ema_cross_atr"]), "NEXT_OPEN"),
    "dual_moving_average": (DUAL_MOVING_AVERAGE, "ZIPLINE"),
}
LIMITS = {"wall_seconds": 180, "cpu_seconds": 120}


def trial_of(bench: Bench, source: str, cost_model: str) -> common_pb2.Trial:
    request = bench.request(source, LIMITS)
    request.start.CopyFrom(date_to_proto(date(2001, 6, 1)))
    request.end.CopyFrom(date_to_proto(date(2006, 6, 30)))
    request.cost_model.kind = common_pb2.CostModel.Kind.Value(f"KIND_{cost_model}")
    return next(
        item.result.trial for item in bench.client.run_backtest(request) if item.HasField("result")
    )


@pytest.mark.docker
@pytest.mark.gvisor
@pytest.mark.load
@pytest.mark.parametrize("name", list(SOURCES))
def test_runc_and_gvisor_give_the_same_orders_fills_and_metrics(
    bench_of: Callable[[str], Bench], name: str
) -> None:
    trials = {runtime: trial_of(bench_of(runtime), *SOURCES[name]) for runtime in ("runc", "runsc")}
    for runtime, trial in trials.items():
        assert common_pb2.Outcome.Name(trial.outcome) == "OUTCOME_SUCCEEDED", trial.reason
        assert trial.runtime == runtime
        assert len(trial.fills) >= 1
    one, other = trials.values()
    assert one.orders_digest == other.orders_digest
    assert list(one.fills) == list(other.fills)
    assert one.metrics == other.metrics
