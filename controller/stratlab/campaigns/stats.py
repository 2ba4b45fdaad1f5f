"""Computes a campaign's statistics from what is stored."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import final

from stratlab.campaigns.archive_view import archive_cells
from stratlab.campaigns.history import all_iterations, outline
from stratlab.campaigns.stop_rules import iterations_since_improvement, score_volatility
from stratlab.domain.campaign import Campaign
from stratlab.domain.ports import Repository
from stratlab.domain.stats import CampaignStats
from stratlab.domain.trial import TrialPurpose

_MICRO = 1_000_000


def campaign_stats(repository: Repository, campaign_id: str) -> CampaignStats:
    """Return durations, retries, scores and gate counts of a campaign.

    Raises:
        NotFoundError: No campaign has that id.
    """
    campaign = repository.get_campaign(campaign_id)
    iterations = [i for i in all_iterations(repository, campaign_id) if i.ended_at is not None]
    scores = [outline(iteration).score for iteration in iterations]
    results = [result for iteration in iterations for result in iteration.results]
    gates = [gate for i in iterations if i.evaluation for gate in i.evaluation.gates]
    points = repository.point_counts(campaign_id)
    spent = repository.ledger().spent(campaign_id)
    return CampaignStats(
        state_seconds=_state_seconds(repository, campaign_id, campaign.updated_at),
        trials=len(results),
        retries=sum(result.attempt - 1 for result in results),
        cost_usd=spent.micro_usd / _MICRO,
        tokens=spent.tokens,
        best_score_trajectory=_trajectory(scores),
        gate_passes=Counter(gate.gate for gate in gates if gate.passed),
        gate_failures=Counter(gate.gate for gate in gates if not gate.passed),
        score_volatility=score_volatility(scores),
        iterations_since_improvement=iterations_since_improvement(scores),
        outcomes=Counter(result.outcome.value for result in results),
        counted_points=points.get(TrialPurpose.SEARCH, 0),
        points={purpose.value: count for purpose, count in points.items()},
        archive=archive_cells(campaign, iterations),
    )


@final
class StatsOfRevisions:
    """Keeps the statistics of campaigns: whoever polls one that stands still costs nothing.

    Args:
        repository: Where campaigns are stored.
        kept: Number of campaigns to remember.
    """

    def __init__(self, repository: Repository, kept: int = 256) -> None:
        self._repository = repository
        self._kept = kept
        self._known: OrderedDict[str, tuple[int, CampaignStats]] = OrderedDict()
        self._lock = Lock()

    def forget(self, campaign_id: str) -> None:
        """Compute the statistics of a campaign again when they are asked for next."""
        with self._lock:
            self._known.pop(campaign_id, None)

    def of(self, campaign: Campaign) -> CampaignStats:
        """Return the statistics of a campaign as it was at its revision, or a little later.

        Raises:
            NotFoundError: The campaign does not exist.
        """
        with self._lock:
            revision, stats = self._known.get(campaign.id, (None, None))
        if stats is None or revision != campaign.revision:
            stats = campaign_stats(self._repository, campaign.id)
            with self._lock:
                self._known[campaign.id] = (campaign.revision, stats)
                self._known.move_to_end(campaign.id)
                if len(self._known) > self._kept:
                    self._known.popitem(last=False)
        return stats


def _trajectory(scores: list[float | None]) -> tuple[float, ...]:
    best, trajectory = 0.0, []
    for score in scores:
        best = max(best, score or 0.0)
        trajectory.append(best)
    return tuple(trajectory)


def _state_seconds(
    repository: Repository, campaign_id: str, until: datetime
) -> Mapping[str, float]:
    seconds: defaultdict[str, float] = defaultdict(float)
    transitions = repository.transitions(campaign_id)
    ends = [transition.at for transition in transitions[1:]] + [until]
    for transition, end in zip(transitions, ends, strict=False):
        seconds[transition.to_state.value] += max((end - transition.at).total_seconds(), 0.0)
    return seconds
