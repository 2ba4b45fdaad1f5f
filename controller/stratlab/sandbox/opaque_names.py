"""Names of trials that tell a container nothing: a re-run in a world looks like any other trial."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, final

from stratlab.domain.ports import FirstJudge, ProgressListener
from stratlab.domain.trial import TrialBatch, TrialClaim, TrialProgress

_BYTES = 8


@final
@dataclass(frozen=True, slots=True)
class OpaqueNames:
    """A batch under names drawn at random, and the way back.

    Attributes:
        batch: With the names that containers are told.
        own: Such a name -> the trial's own id.
    """

    batch: TrialBatch
    own: Mapping[str, str]

    @classmethod
    def of(cls, batch: TrialBatch) -> Self:
        """Draw names for the trials of a batch."""
        trials = tuple(replace(trial, trial_id=secrets.token_hex(_BYTES)) for trial in batch.trials)
        own = {
            told.trial_id: trial.trial_id for told, trial in zip(trials, batch.trials, strict=True)
        }
        return cls(replace(batch, trials=trials), own)

    def claim(self, claim: TrialClaim) -> TrialClaim:
        """Return a claim under the trial's own id."""
        return replace(claim, trial_id=self.own[claim.trial_id])

    def listener(self, on_progress: ProgressListener) -> ProgressListener:
        """Return a listener that tells another one of trials by their own ids."""

        def told(progress: TrialProgress) -> None:
            on_progress(replace(progress, trial_id=self.own[progress.trial_id]))

        return told

    def judge(self, judge: FirstJudge | None) -> FirstJudge | None:
        """Return a judge that shows another one the claim under the trial's own id."""
        if judge is None:
            return None
        return lambda claim: judge(self.claim(claim))
