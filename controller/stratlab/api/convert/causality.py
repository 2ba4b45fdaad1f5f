"""What a causality test found."""

from stratlab.api.convert.trial import OUTCOMES
from stratlab.api.convert.values import date_to_proto
from stratlab.domain.examination import CausalityEvidence
from stratlab_proto.v1 import backtest_service_pb2 as pb


def causality_to_proto(evidence: CausalityEvidence) -> pb.Causality:
    """Return the message; what is None stays absent."""
    return pb.Causality(
        outcome=OUTCOMES[evidence.outcome],
        reason=evidence.reason,
        cuts=[
            pb.CausalityCut(
                cut=date_to_proto(cut.cut),
                reason=cut.reason.value,
                outcome=OUTCOMES[cut.outcome],
                compared_orders=cut.compared_orders,
                first_difference=cut.first_difference,
            )
            for cut in evidence.cuts
        ],
        repetitions=evidence.repetitions,
        delayed_sharpe_ratio=evidence.delay.delayed_sharpe if evidence.delay else None,
        warm_up_difference=evidence.warm_up_difference,
    )
