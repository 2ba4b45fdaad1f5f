"""Finds out after its trials whether a candidate does what a better elite does already."""

from typing import TYPE_CHECKING, Final, final

from stratlab.campaigns.history import History
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.market import Tier
from stratlab.domain.ports import Artifacts, Repository
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult
from stratlab.search.archive import Archive, elite_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME_RETURNS: Final = 0.95
"""Correlation of daily train returns above which two candidates are one strategy."""


@final
class Twins:
    """Compares the candidates of one campaign with its elites, by daily train returns.

    Returns are read from the artefacts and kept for elites only, so memory is bounded by the cells
    of the archive.

    Args:
        repository: Where the trials of elites are found.
        artifacts: Where their equity is.
    """

    def __init__(self, repository: Repository, artifacts: Artifacts) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._known: dict[int, NDArray[np.float32] | None] = {}
        self._archive: Archive | None = None
        self._archived = 0

    def better(self, campaign: Campaign, iteration: Iteration, history: History) -> str:
        """Return the hash of the best better elite whose returns correlate above the bound, or "".

        Args:
            campaign: Its islands count.
            iteration: With results and evaluation.
            history: Of the iterations before it; from call to call it only grows.
        """
        newcomer = elite_of(history.summarise(iteration))
        if newcomer is None:
            return ""
        elites = self._grown(campaign, history).everywhere()
        better = [elite for elite in elites if elite.merit > newcomer.merit]
        own = self._returns(campaign, iteration)
        numbers = {elite.number for elite in elites}
        self._known = {n: known for n, known in self._known.items() if n in numbers}
        for elite in better:
            if elite.number not in self._known:
                stored = self._repository.get_iteration(campaign.id, elite.number)
                self._known[elite.number] = self._returns(campaign, stored)
            if _correlation(own, self._known[elite.number]) > SAME_RETURNS:
                return elite.candidate.hash
        return ""

    def _grown(self, campaign: Campaign, history: History) -> Archive:
        # A long campaign must not pay for its whole past in each iteration.
        if self._archive is None:
            self._archive = Archive(campaign.spec.islands)
        for summary in history.summaries[self._archived :]:
            self._archive.add(summary)
        self._archived = len(history.summaries)
        return self._archive

    def _returns(self, campaign: Campaign, iteration: Iteration) -> "NDArray[np.float32] | None":
        # Daily returns of all market sets one after the other, centred and of length 1.
        import numpy as np  # noqa: PLC0415 - keeps start-up fast

        evaluation = iteration.evaluation
        if evaluation is None:
            return None
        chosen = dict(evaluation.parameters)
        series = []
        for result in iteration.results:
            if _is_train(result) and dict(result.spec.parameters) == chosen:
                points = self._artifacts.equity(campaign.id, result.spec.trial_id)
                values = np.array([result.spec.capital, *(point.value for point in points)])
                if (values <= 0).any():
                    return None
                series.append(np.diff(values) / values[:-1])
        if not series:
            return None
        returns = np.concatenate(series)
        centred = returns - returns.mean()
        length = float(np.linalg.norm(centred))
        return (centred / length).astype(np.float32) if length > 0 else None


def _is_train(result: TrialResult) -> bool:
    spec = result.spec
    is_search = spec.purpose is TrialPurpose.SEARCH and spec.window.tier is Tier.TRAIN
    return is_search and result.outcome is Outcome.SUCCEEDED


def _correlation(
    first: "NDArray[np.float32] | None", second: "NDArray[np.float32] | None"
) -> float:
    if first is None or second is None or len(first) != len(second):
        return 0.0
    return float(first @ second)
