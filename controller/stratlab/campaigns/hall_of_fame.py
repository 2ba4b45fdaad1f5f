"""Ranks admitted strategies: one champion, a few contenders, the rest in the archive."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from stratlab.domain.campaign import Evaluation, HallOfFameEntry, HallOfFameTier, Iteration

CONTENDERS = 4
KEPT = 100
"""Entries of one campaign; it is read in every iteration. Whatever falls out is still stored."""


def admit(entries: Sequence[HallOfFameEntry], iteration: Iteration) -> tuple[HallOfFameEntry, ...]:
    """Return the hall of fame after an iteration.

    A candidate is admitted when it passed every gate and has a score; the score ranks, it never
    buys a gate. Of more than :data:`KEPT` entries the best are kept.

    Args:
        entries: The hall of fame so far.
        iteration: An ended iteration, whose failure says so when it did not pass the causality
            test.
    """
    candidate, evaluation = iteration.candidate, iteration.evaluation
    if candidate is None or evaluation is None or iteration.ended_at is None:
        return tuple(entries)
    if not may_enter(evaluation) or iteration.failure:
        return tuple(entries)
    assert evaluation.score is not None, "what may enter has a score"
    newcomer = HallOfFameEntry(
        campaign_id=iteration.campaign_id,
        candidate_hash=candidate.hash,
        iteration=iteration.number,
        strategy_id=candidate.strategy_id,
        tier=HallOfFameTier.ARCHIVE,
        score=evaluation.score,
        parameters=evaluation.parameters,
        provisional=False,
        admitted_at=iteration.ended_at,
    )
    return _ranked([*(e for e in entries if e.iteration != iteration.number), newcomer])


def may_enter(evaluation: Evaluation) -> bool:
    """Whether nothing but the causality test stands between a candidate and the hall of fame."""
    return evaluation.passed_gates and evaluation.score is not None


def retested(
    entries: Sequence[HallOfFameEntry], passed: Collection[int]
) -> tuple[HallOfFameEntry, ...]:
    """Return the hall of fame after its provisional entries were put to the causality test.

    Args:
        entries: The hall of fame so far.
        passed: Iterations whose entries passed; the other provisional ones stay in the archive.
    """
    return _ranked(
        [replace(e, provisional=e.provisional and e.iteration not in passed) for e in entries]
    )


def _ranked(entries: Sequence[HallOfFameEntry]) -> tuple[HallOfFameEntry, ...]:
    # Equal scores: the earlier iteration keeps its place. What is provisional comes last.
    ranked = sorted(entries, key=lambda e: (e.provisional, -e.score, e.iteration))[:KEPT]
    return tuple(
        replace(entry, tier=HallOfFameTier.ARCHIVE if entry.provisional else _tier(rank))
        for rank, entry in enumerate(ranked)
    )


def _tier(rank: int) -> HallOfFameTier:
    if rank == 0:
        return HallOfFameTier.CHAMPION
    return HallOfFameTier.CONTENDER if rank <= CONTENDERS else HallOfFameTier.ARCHIVE
