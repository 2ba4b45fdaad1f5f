"""Runs trials of one candidate again, each in a container of its own, all beside each other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from stratlab.campaigns.iteration_trials import INFRASTRUCTURE_BACKOFF_SECONDS
from stratlab.campaigns.together import together
from stratlab.domain.errors import UnavailableError
from stratlab.domain.ports import ProgressListener, Sandbox
from stratlab.domain.trial import (
    Engine,
    Limits,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)


@final
@dataclass(frozen=True, slots=True)
class Suspect:
    """Who is run again, and how it was run.

    Attributes:
        campaign_id: Whose share of the host is used.
        source: Of the strategy.
        limits, runtime, engine: As in the trials.
        results: Trials that succeeded, of one parameter point, by index.
        seed: Of everything that is drawn.
        notify: Told of every sign of life.
    """

    campaign_id: str
    source: str
    limits: Limits
    runtime: str
    engine: Engine
    results: tuple[TrialResult, ...]
    seed: int
    notify: ProgressListener


def rerun_of(spec: TrialSpec, name: str, world: str = "") -> TrialSpec:
    """Return a trial once more, under a name of its own.

    Args:
        spec: The trial.
        name: What tells this repetition apart.
        world: The world that it is run in, "" for its own data.
    """
    trial_id = f"{spec.trial_id}-{name}"
    return replace(spec, trial_id=trial_id, purpose=TrialPurpose.RERUN, world=world)


async def run_again(
    sandbox: Sandbox, suspect: Suspect, specs: Sequence[TrialSpec], runtime: str = ""
) -> list[TrialClaim]:
    """Run trials, each in a fresh container, and return their claims in order.

    Args:
        sandbox: Runs them.
        suspect: Whose trials.
        specs: Trials, made by :func:`rerun_of`.
        runtime: Another one than the suspect's, "" for that.

    Raises:
        UnavailableError: One of them cannot be run at all, whatever is tried.
        EngineError: The engine refused.
    """
    claims: dict[str, TrialClaim] = {}
    for pause in (*INFRASTRUCTURE_BACKOFF_SECONDS, None):
        missing = [spec for spec in specs if spec.trial_id not in claims]
        found = await _all_at_once(sandbox, suspect, missing, runtime or suspect.runtime)
        claims |= {claim.trial_id: claim for claim in found if not claim.outcome.is_retried}
        broken = [claim for claim in found if claim.outcome.is_retried]
        if not broken:
            return [claims[spec.trial_id] for spec in specs]
        if pause is not None:
            await asyncio.sleep(pause)
    raise UnavailableError(
        f"trial {broken[0].trial_id} cannot be run again: {broken[0].reason}",
        hint="Run `stratlab doctor`, mend what it names, then try again.",
    )


async def _all_at_once(
    sandbox: Sandbox, suspect: Suspect, specs: Sequence[TrialSpec], runtime: str
) -> list[TrialClaim]:
    batches = [
        TrialBatch(
            campaign_id=suspect.campaign_id,
            source=suspect.source,
            trials=(spec,),
            limits=suspect.limits,
            runtime=runtime,
            engine=suspect.engine,
        )
        for spec in specs
    ]
    found = await together(sandbox.run(batch, suspect.notify) for batch in batches)
    return [claim for claims in found for claim in claims]
