"""Counts the trials that a result was selected from: the N that deflates."""

from collections import Counter
from typing import TYPE_CHECKING

from stratlab.domain.points import point_digest
from stratlab.domain.statistics import TrialCount
from stratlab.domain.trial import TrialPurpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratlab.domain.campaign import Iteration
    from stratlab.domain.points import Point


def count_trials(points: "Iterable[Point]", iterations: "Iterable[Iteration]" = ()) -> TrialCount:
    """Return N, the distinct (candidate, parameters) whose score could influence selection.

    Those are the entries of the registry with the purpose SEARCH, and every trial of that purpose
    that is stored, whatever became of it: neither an entry nor a trial that the other does not
    know of makes N smaller. The same point counts once, however many market sets, tiers, attempts
    and repetitions it was run on, and in however many campaigns.

    Args:
        points: All entries of the registry, of one campaign or of several.
        iterations: All iterations of the same campaigns.
    """
    searched: set[tuple[str, str]] = set()
    screened: set[tuple[str, str]] = set()
    purposes: Counter[str] = Counter()
    for point in points:
        purposes[point.purpose.value] += 1
        if point.purpose is TrialPurpose.SEARCH:
            searched.add((point.candidate, point.digest))
        elif point.purpose is TrialPurpose.SCREEN:
            screened.add((point.candidate, point.digest))
    for iteration in iterations:
        if iteration.candidate is None:
            continue
        searched.update(
            (iteration.candidate.hash, point_digest(result.spec.parameters))
            for result in iteration.results
            if result.spec.purpose is TrialPurpose.SEARCH
        )
    return TrialCount(
        counted=len(searched),
        by_purpose=dict(sorted(purposes.items())),
        screened_only=len(screened - searched),
    )
