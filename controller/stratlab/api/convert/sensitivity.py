"""Sensitivity of strategies to their parameters."""

import math

from stratlab.api.convert.values import numbers_to_proto, seconds_to_proto
from stratlab.api.names import campaign_name
from stratlab.campaigns.sensitivity import SensitivityReport
from stratlab.search.parameters_sensitivity import HeatMap
from stratlab_proto.v1 import strategy_service_pb2 as pb


def sensitivity_to_proto(report: SensitivityReport, seconds: float) -> pb.Sensitivity:
    """Return the message.

    Args:
        report: What was measured.
        seconds: How long it took.
    """
    found = report.sensitivity
    return pb.Sensitivity(
        strategy_id=report.strategy_id,
        campaign=campaign_name(report.campaign_id) if report.campaign_id else "",
        iteration=report.iteration,
        candidate=report.candidate,
        parameters=numbers_to_proto(found.parameters),
        sharpe_ratio=found.sharpe_ratio,
        mean_change=found.mean_change,
        worst_change=found.worst_change,
        heat_maps=[_heat_map(heat_map) for heat_map in found.maps],
        points=len(found.points),
        registered=report.registered,
        wall_time=seconds_to_proto(seconds),
        caveats=report.caveats,
    )


def _heat_map(heat_map: HeatMap) -> pb.HeatMap:
    return pb.HeatMap(
        row=heat_map.row,
        row_values=heat_map.row_values,
        column=heat_map.column,
        column_values=heat_map.column_values,
        sharpe_ratios=[
            math.nan if sharpe is None else sharpe
            for row in heat_map.sharpe_ratios
            for sharpe in row
        ],
    )
