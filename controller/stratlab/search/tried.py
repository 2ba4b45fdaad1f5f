"""Keeps what a campaign tried ready for comparison: the index grows with the campaign's history."""

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, final

from stratlab.search.novelty import NoveltyIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.domain.generation import GenerationRequest, IterationSummary

KEPT: Final = 16
"""Campaigns whose indices are kept; that of another one is built again from its history."""


@final
class TriedIndices:
    """Indices of the latest campaigns.

    A campaign asks from one thread at a time. An index is continued only by a history that begins
    with what it was made of, the very same summaries; any other history gets a new one.

    Args:
        kept: Number of campaigns.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._indices: OrderedDict[str, tuple[NoveltyIndex, list[IterationSummary]]] = OrderedDict()
        self._lock = Lock()

    def of(self, request: "GenerationRequest") -> NoveltyIndex:
        """Return the index of everything in the history of a request."""
        campaign_id, history = request.campaign.id, request.history
        with self._lock:
            index, known = self._indices.pop(campaign_id, (NoveltyIndex(), []))
        if not _begins_with(history, known):
            index, known = NoveltyIndex(), []
        for summary in history[len(known) :]:
            if summary.candidate is not None:
                index.add(summary.candidate, summary.number)
            known.append(summary)
        with self._lock:
            self._indices[campaign_id] = (index, known)
            if len(self._indices) > self._kept:
                self._indices.popitem(last=False)
        return index


TRIED: Final = TriedIndices()
"""Those of this process."""


def _begins_with(
    history: "Sequence[IterationSummary]", known: "Sequence[IterationSummary]"
) -> bool:
    # By identity: summaries never change, and comparing their texts would cost what this saves.
    return len(history) >= len(known) and all(
        one is other for one, other in zip(history, known, strict=False)
    )
