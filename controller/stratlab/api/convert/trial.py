"""Trials, their metrics, limits and costs, and screening findings."""

import dataclasses

from stratlab.api.convert.values import date_to_proto, numbers_to_proto
from stratlab.domain.market import CostModel, CostModelKind, Tier
from stratlab.domain.metrics import Metrics
from stratlab.domain.strategy import Finding, ScreeningReport, Severity
from stratlab.domain.trial import (
    Limits,
    Outcome,
    StrategyFailure,
    TrialProgress,
    TrialResult,
    Usage,
)
from stratlab_proto.v1 import campaign_service_pb2, common_pb2

OUTCOMES = {
    outcome: common_pb2.Outcome.Value(f"OUTCOME_{outcome.value}")  # the same names by design
    for outcome in Outcome
}
TIERS = {
    Tier.TRAIN: common_pb2.TIER_TRAIN,
    Tier.VALIDATION: common_pb2.TIER_VALIDATION,
    Tier.HOLDOUT: common_pb2.TIER_HOLDOUT,
}
COST_MODEL_KINDS = {
    CostModelKind.NEXT_OPEN: common_pb2.CostModel.KIND_NEXT_OPEN,
    CostModelKind.ZIPLINE: common_pb2.CostModel.KIND_ZIPLINE,
}
_COST_MODEL_NAMES = {number: kind for kind, number in COST_MODEL_KINDS.items()}
_SEVERITIES = {
    Severity.ERROR: common_pb2.Finding.SEVERITY_ERROR,
    Severity.WARNING: common_pb2.Finding.SEVERITY_WARNING,
}


def metrics_to_proto(metrics: Metrics) -> common_pb2.Metrics:
    """Return the message; what is None stays absent."""
    return common_pb2.Metrics(**dataclasses.asdict(metrics))


def limits_to_proto(limits: Limits) -> common_pb2.Limits:
    """Return the message; what is None stays absent."""
    return common_pb2.Limits(**dataclasses.asdict(limits))


def limits_fields(message: common_pb2.Limits) -> dict[str, object]:
    """Return the fields that were sent, for validation."""
    return {field.name: value for field, value in message.ListFields()}


def cost_model_to_proto(model: CostModel) -> common_pb2.CostModel:
    """Return the message."""
    return common_pb2.CostModel(
        kind=COST_MODEL_KINDS[model.kind],
        slippage_bps=model.slippage_bps,
        commission_per_share=model.commission_per_share,
        volume_limit=model.volume_limit,
    )


def cost_model_fields(message: common_pb2.CostModel) -> dict[str, object]:
    """Return the fields that were sent, for validation."""
    fields: dict[str, object] = {field.name: value for field, value in message.ListFields()}
    if message.kind != common_pb2.CostModel.KIND_UNSPECIFIED:
        # An unknown number goes through as it is: validation names what is allowed.
        fields["kind"] = _COST_MODEL_NAMES.get(message.kind, message.kind)
    return fields


def usage_to_proto(usage: Usage) -> common_pb2.Usage:
    """Return the message."""
    return common_pb2.Usage(**dataclasses.asdict(usage))


def failure_to_proto(failure: StrategyFailure) -> common_pb2.StrategyFailure:
    """Return the message."""
    return common_pb2.StrategyFailure(**dataclasses.asdict(failure))


def trial_to_proto(
    result: TrialResult, limits: Limits, *, with_series: bool = False
) -> common_pb2.Trial:
    """Return the message of a trial's result.

    Args:
        result: What the host made of the trial.
        limits: What was in force.
        with_series: Whether to include fills and equity, which can be large.
    """
    spec = result.spec
    message = common_pb2.Trial(
        trial_id=spec.trial_id,
        index=spec.index,
        purpose=spec.purpose.value,
        data_set=spec.market.data_set,
        symbols=spec.market.symbols,
        timeframe=spec.market.timeframe,
        tier=TIERS[spec.window.tier],
        start=date_to_proto(spec.window.start),
        end=date_to_proto(spec.window.end),
        parameters=numbers_to_proto(spec.parameters),
        outcome=OUTCOMES[result.outcome],
        reason=result.reason,
        attempt=result.attempt,
        metrics=metrics_to_proto(result.metrics) if result.metrics else None,
        benchmark_metrics=(
            metrics_to_proto(result.benchmark_metrics) if result.benchmark_metrics else None
        ),
        orders_digest=result.orders_digest,
        error=failure_to_proto(result.failure) if result.failure else None,
        output_tail=result.output_tail,
        usage=usage_to_proto(result.usage),
        runtime=result.sandbox.runtime,
        image_id=result.sandbox.image_id,
        seccomp_digest=result.sandbox.seccomp_digest,
        limits=limits_to_proto(limits),
        engine=result.sandbox.engine,
        data_calls=result.data_calls.total,
        fallbacks=result.data_calls.fallbacks,
    )
    if with_series:
        message.fills.extend(
            common_pb2.Fill(
                number=fill.number,
                bar_epoch_seconds=fill.bar,
                symbol=fill.symbol,
                amount=round(fill.amount),
                quantity=fill.amount,
                price=fill.price,
                commission=fill.commission,
                ambiguous=fill.ambiguous,
            )
            for fill in result.fills
        )
        message.equity.extend(
            common_pb2.EquityPoint(bar_epoch_seconds=point.bar, value=point.value)
            for point in result.equity
        )
    return message


def progress_to_proto(progress: TrialProgress) -> campaign_service_pb2.TrialProgress:
    """Return the message."""
    return campaign_service_pb2.TrialProgress(
        trial_id=progress.trial_id,
        fraction=progress.fraction,
        bar_epoch_seconds=progress.bar,
        equity=progress.equity,
    )


def finding_to_proto(finding: Finding) -> common_pb2.Finding:
    """Return the message."""
    return common_pb2.Finding(
        layer=finding.layer,
        rule=finding.rule,
        severity=_SEVERITIES[finding.severity],
        line=finding.line,
        column=finding.column,
        message=finding.message,
        hint=finding.hint,
    )


def findings_to_proto(report: ScreeningReport | None) -> list[common_pb2.Finding]:
    """Return the messages of a report, none when there is no report."""
    return [finding_to_proto(finding) for finding in report.findings] if report else []
