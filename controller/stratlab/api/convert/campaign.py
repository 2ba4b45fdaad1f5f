"""Campaigns, their figures, events and files."""

from collections.abc import Sequence

from stratlab.api.convert.spec import spec_to_proto
from stratlab.api.convert.values import (
    json_to_proto,
    numbers_to_proto,
    seconds_to_proto,
    time_to_proto,
)
from stratlab.api.names import artifact_name, campaign_name
from stratlab.domain.campaign import (
    Artifact,
    Campaign,
    CampaignState,
    HallOfFameEntry,
    HallOfFameTier,
)
from stratlab.domain.events import Event
from stratlab.domain.examination import HoldoutOpening
from stratlab.domain.gates import RuleStatus, Verdict, VerdictKind
from stratlab.domain.search import ArchiveCell
from stratlab.domain.stats import CampaignEstimate, CampaignStats
from stratlab_proto.v1 import campaign_service_pb2 as pb

STATES = {
    state: pb.Campaign.State.Value(f"STATE_{state.name}")  # the same names by design
    for state in CampaignState
}
VERDICTS = {kind: pb.Verdict.Kind.Value(f"KIND_{kind.name}") for kind in VerdictKind}
STATUSES = {status: pb.RuleResult.Status.Value(f"STATUS_{status.name}") for status in RuleStatus}
RANKS = {tier: pb.HallOfFameEntry.Rank.Value(f"RANK_{tier.name}") for tier in HallOfFameTier}


def campaign_to_proto(
    campaign: Campaign,
    *,
    hall_of_fame: Sequence[HallOfFameEntry] = (),
    stats: CampaignStats | None = None,
    openings: Sequence[HoldoutOpening] = (),
) -> pb.Campaign:
    """Return the message; without hall of fame, figures and openings unless they are given."""
    return pb.Campaign(
        name=campaign_name(campaign.id),
        spec=spec_to_proto(campaign.spec),
        state=STATES[campaign.state],
        state_reason=campaign.state_reason,
        create_time=time_to_proto(campaign.created_at),
        update_time=time_to_proto(campaign.updated_at),
        iteration=campaign.iteration,
        verdict=verdict_to_proto(campaign.verdict) if campaign.verdict else None,
        result_hash=campaign.result_hash,
        data_digest=campaign.data_digest,
        hall_of_fame=[hall_of_fame_entry_to_proto(entry) for entry in hall_of_fame],
        stats=stats_to_proto(stats) if stats else None,
        archive=[archive_cell_to_proto(cell) for cell in stats.archive] if stats else [],
        holdout_openings=[opening_to_proto(opening) for opening in openings],
        replay_of=campaign_name(campaign.replay_of) if campaign.replay_of else "",
    )


def opening_to_proto(opening: HoldoutOpening) -> pb.HoldoutOpening:
    """Return the message."""
    subject = opening.subject
    return pb.HoldoutOpening(
        number=opening.number,
        data_set=opening.data_set,
        data_digest=opening.data_digest,
        iteration=subject.iteration,
        candidate=subject.candidate_hash,
        parameters=numbers_to_proto(subject.parameters),
        looks=opening.looks,
        actor=opening.actor,
        time=time_to_proto(opening.at),
    )


def verdict_to_proto(verdict: Verdict) -> pb.Verdict:
    """Return the message."""
    return pb.Verdict(
        kind=VERDICTS[verdict.kind],
        candidate=verdict.candidate,
        reasons=verdict.reasons,
        missing_checks=verdict.missing_checks,
        rules=[
            pb.RuleResult(
                rule=rule.name,
                status=STATUSES[rule.status],
                value=rule.value,
                bound=rule.bound,
                evidence=rule.evidence,
            )
            for rule in verdict.rules
        ],
    )


def hall_of_fame_entry_to_proto(entry: HallOfFameEntry) -> pb.HallOfFameEntry:
    """Return the message."""
    return pb.HallOfFameEntry(
        rank=RANKS[entry.tier],
        candidate=entry.candidate_hash,
        strategy_id=entry.strategy_id,
        iteration=entry.iteration,
        score=entry.score,
        parameters=numbers_to_proto(entry.parameters),
        provisional=entry.provisional,
    )


def archive_cell_to_proto(cell: ArchiveCell) -> pb.ArchiveCell:
    """Return the message."""
    return pb.ArchiveCell(
        island=cell.island,
        style=cell.style,
        turnover=pb.MetricClass(min=cell.turnover[0], max=cell.turnover[1]),
        drawdown=pb.MetricClass(min=cell.drawdown[0], max=cell.drawdown[1]),
        candidate=cell.candidate,
        strategy_id=cell.strategy_id,
        iteration=cell.iteration,
        origin=cell.origin,
        train_score=cell.train_score,
        passed_gates=cell.passed_gates,
    )


def stats_to_proto(stats: CampaignStats) -> pb.CampaignStats:
    """Return the message."""
    return pb.CampaignStats(
        state_durations={
            state: seconds_to_proto(seconds) for state, seconds in stats.state_seconds.items()
        },
        trials=stats.trials,
        retries=stats.retries,
        cost_usd=stats.cost_usd,
        tokens=stats.tokens,
        best_score_trajectory=stats.best_score_trajectory,
        gate_passes=stats.gate_passes,
        gate_failures=stats.gate_failures,
        score_volatility=stats.score_volatility,
        iterations_since_improvement=stats.iterations_since_improvement,
        outcomes=stats.outcomes,
        counted_points=stats.counted_points,
        points=stats.points,
    )


def estimate_to_proto(estimate: CampaignEstimate) -> pb.CampaignEstimate:
    """Return the message."""
    return pb.CampaignEstimate(
        counted_points=estimate.counted_points,
        screened_points=estimate.screened_points,
        backtests=estimate.backtests,
        sessions=estimate.sessions,
        required_sharpe_ratio=estimate.required_sharpe_ratio,
        expected_maximum_sharpe_ratio=estimate.expected_maximum_sharpe_ratio,
        wall_time=seconds_to_proto(estimate.wall_seconds),
        backtest_time=seconds_to_proto(estimate.seconds_per_backtest),
        measured_backtests=estimate.measured_backtests,
        model_cost_usd=estimate.model_cost_usd,
        measured_model_iterations=estimate.measured_model_iterations,
    )


def event_to_proto(event: Event) -> pb.Event:
    """Return the message."""
    return pb.Event(
        number=event.number,
        time=time_to_proto(event.at),
        kind=event.kind.value,
        payload=json_to_proto(event.payload),
        hash=event.hash,
    )


def artifact_to_proto(artifact: Artifact) -> pb.Artifact:
    """Return the message."""
    return pb.Artifact(
        name=artifact_name(artifact.campaign_id, artifact.name),
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        digest=artifact.digest,
    )
