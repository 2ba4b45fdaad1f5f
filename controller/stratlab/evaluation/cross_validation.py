"""Combinatorial purged cross-validation: every combination of groups is tested once.

Source: M. Lopez de Prado, "Advances in Financial Machine Learning", 2018, chapters 7 and 12.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import final

from stratlab.domain.errors import InvalidSpecError
from stratlab.evaluation.folds import Fold, equal_parts, joined, without


@final
@dataclass(frozen=True, slots=True)
class CombinatorialSplits:
    """All splits of some sessions, and how their tests are stitched into paths.

    Attributes:
        groups: Consecutive parts of all sessions.
        folds: One for each combination of groups that is tested, in lexicographic order.
        tested: The groups that each fold tests, ascending, in the order of ``folds``.
        paths: For each path the fold that every group is taken from; a fold's test of a group
            belongs to exactly one path.
    """

    groups: tuple[range, ...]
    folds: tuple[Fold, ...]
    tested: tuple[tuple[int, ...], ...]
    paths: tuple[tuple[int, ...], ...]


def path_count(groups: int, test_groups: int) -> int:
    """Return the number of paths: ``C(groups, test_groups) * test_groups / groups``."""
    return comb(groups - 1, test_groups - 1)


def combinatorial_splits(
    sessions: int, *, groups: int, test_groups: int, purge: int = 0, embargo: int = 0
) -> CombinatorialSplits:
    """Cut sessions into groups and return every split that tests ``test_groups`` of them.

    Of train are left out the ``purge`` sessions on both sides of what is tested, and ``embargo``
    further ones behind it.

    Args:
        sessions: How many there are.
        groups: Their lengths differ by one session at most.
        test_groups: Tested at once; at least one, and fewer than there are.
        purge: Sessions that what was decided in one set may still reach into the other.
        embargo: Further sessions for which returns behind a test depend on it.

    Raises:
        InvalidSpecError: A number is out of bounds, or a split has nothing left to train on.
    """
    if not 1 <= test_groups < groups or purge < 0 or embargo < 0:
        raise InvalidSpecError("some groups, but not all, are tested, and no gap is below 0")
    if groups > sessions:
        raise InvalidSpecError(f"{sessions} sessions are too few for {groups} groups")
    everything = range(sessions)
    parts = equal_parts(everything, groups)
    tested = tuple(combinations(range(groups), test_groups))
    folds = tuple(
        _fold(everything, joined(parts[group] for group in chosen), purge, embargo)
        for chosen in tested
    )
    if not all(fold.train for fold in folds):
        raise InvalidSpecError(
            f"groups of {len(parts[-1])} sessions leave nothing to train on",
            hint="Take fewer groups, or a smaller purge and embargo.",
        )
    # Path p takes each group from the p-th of the folds that test it.
    takers = [
        [fold for fold, chosen in enumerate(tested) if group in chosen] for group in range(groups)
    ]
    return CombinatorialSplits(parts, folds, tested, tuple(zip(*takers, strict=True)))


def _fold(sessions: range, test: tuple[range, ...], purge: int, embargo: int) -> Fold:
    forbidden = [range(part.start - purge, part.stop + purge + embargo) for part in test]
    return Fold(tuple(without(sessions, forbidden)), test)
