"""Ranks admitted strategies: one champion, a few contenders, the rest in the archive."""

from collections.abc import Sequence
from dataclasses import replace

from stratlab.domain.campaign import HallOfFameEntry, HallOfFameTier, Iteration

CONTENDERS = 4
KEPT = 100
"""Entries of one campaign; it is read in every iteration. Whatever falls out is still stored."""


def admit(entries: Sequence[HallOfFameEntry], iteration: Iteration) -> tuple[HallOfFameEntry, ...]:
    """Return the hall of fame after an iteration.

    A candidate is admitted when it passed every gate and has a score; the score ranks, it never
    buys a gate. Of more than :data:`KEPT` entries the best are kept. Entries are provisional: the
    integrity checks that a promotion needs have not run on them.

    Args:
        entries: The hall of fame so far.
        iteration: An ended iteration.
    """
    candidate, evaluation = iteration.candidate, iteration.evaluation
    if candidate is None or evaluation is None or iteration.ended_at is None:
        return tuple(entries)
    if not evaluation.passed_gates or evaluation.score is None:
        return tuple(entries)
    newcomer = HallOfFameEntry(
        campaign_id=iteration.campaign_id,
        candidate_hash=candidate.hash,
        iteration=iteration.number,
        strategy_id=candidate.strategy_id,
        tier=HallOfFameTier.ARCHIVE,
        score=evaluation.score,
        parameters=evaluation.parameters,
        provisional=True,
        admitted_at=iteration.ended_at,
    )
    others = [entry for entry in entries if entry.iteration != iteration.number]
    # Equal scores: the earlier iteration keeps its place.
    ranked = sorted([*others, newcomer], key=lambda entry: (-entry.score, entry.iteration))
    return tuple(replace(entry, tier=_tier(rank)) for rank, entry in enumerate(ranked[:KEPT]))


def _tier(rank: int) -> HallOfFameTier:
    if rank == 0:
        return HallOfFameTier.CHAMPION
    return HallOfFameTier.CONTENDER if rank <= CONTENDERS else HallOfFameTier.ARCHIVE
