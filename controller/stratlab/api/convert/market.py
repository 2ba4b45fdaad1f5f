"""Data sets."""

from stratlab.api.convert.values import date_to_proto
from stratlab.domain.market import DataSet, Tier, TierRange
from stratlab_proto.v1 import backtest_service_pb2


def data_set_to_proto(data_set: DataSet) -> backtest_service_pb2.Dataset:
    """Return the message; a tier that the data set does not have stays absent."""
    message = backtest_service_pb2.Dataset(
        name=f"datasets/{data_set.name}",
        digest=data_set.digest,
        symbols=data_set.symbols,
        timeframe=data_set.timeframe,
        calendar=data_set.calendar,
        warm_up_start=date_to_proto(data_set.warm_up_start),
        provenance=data_set.provenance,
        caveats=data_set.caveats,
        scales=[
            backtest_service_pb2.SymbolScale(symbol=name, price=scale.price, volume=scale.volume)
            for name, scale in sorted(data_set.scales.items())
        ],
    )
    for tier, field in (
        (Tier.TRAIN, message.train),
        (Tier.VALIDATION, message.validation),
        (Tier.HOLDOUT, message.holdout),
    ):
        if tier in data_set.tiers:
            field.CopyFrom(_range_to_proto(data_set.tiers[tier]))
    return message


def _range_to_proto(sessions: TierRange) -> backtest_service_pb2.DateRange:
    return backtest_service_pb2.DateRange(
        start=date_to_proto(sessions.start), end=date_to_proto(sessions.end)
    )
