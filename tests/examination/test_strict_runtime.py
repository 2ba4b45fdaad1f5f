"""What decides a promotion runs under the runtime that the operator requires for it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.suites.samples import a_campaign, a_result, an_iteration

from stratlab.campaigns.sealed_trials import SealedTrials
from stratlab.domain.errors import SandboxNotReadyError
from stratlab.domain.trial import Outcome, TrialBatch, TrialClaim
from stratlab.store import open_repository


class Replays:
    """Takes every batch, or refuses a runtime whose limits are not proven."""

    def __init__(self, unproven: str = "") -> None:
        self.batches: list[TrialBatch] = []
        self._unproven = unproven

    async def run_sealed(self, batch, on_progress):
        self.batches.append(batch)
        if batch.runtime == self._unproven:
            raise SandboxNotReadyError(f"a limit is not proven under {batch.runtime}")
        return [TrialClaim(trial.trial_id, Outcome.SUCCEEDED) for trial in batch.trials]


class Settles:
    """Believes every claim."""

    def settle(self, spec, claim, prices, limits):
        return replace(a_result(spec.trial_id), spec=spec, outcome=claim.outcome)


class Prices:
    """Has none."""

    def prices(self, market, tier):
        return None


async def replay(tmp_path: Path, replays: Replays, runtime: str) -> list[Outcome]:
    repository = open_repository(f"sqlite:///{tmp_path / 'store.db'}")
    repository.create_campaign(a_campaign(), "")
    with repository.transaction() as transaction:
        transaction.save_iteration(an_iteration())
    sealed = SealedTrials(repository, Prices(), replays, Settles(), runtime)
    specs = [a_result().spec]
    results = await sealed.run(a_campaign(), an_iteration(), specs, lambda _: None)
    repository.close()
    return [result.outcome for result in results]


@pytest.mark.parametrize(("required", "used"), [("", "runc"), ("runsc", "runsc")])
async def test_sealed_replay_runs_under_the_strict_runtime(
    tmp_path: Path, required: str, used: str
) -> None:
    replays = Replays()
    assert await replay(tmp_path, replays, required) == [Outcome.SUCCEEDED]
    assert [batch.runtime for batch in replays.batches] == [used]


async def test_strict_runtime_that_is_not_proven_lets_nothing_through(tmp_path: Path) -> None:
    replays = Replays(unproven="runsc")
    with pytest.raises(SandboxNotReadyError):
        await replay(tmp_path, replays, "runsc")
    assert {batch.runtime for batch in replays.batches} == {"runsc"}
