"""A sandbox without Docker for tests of what stands above it; it passes the same suite."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stratlab.domain.errors import StratlabError
from stratlab.domain.ports import FirstJudge, ProgressListener
from stratlab.domain.trial import (
    EquityPoint,
    Order,
    OrderKind,
    Outcome,
    Phase,
    SandboxIdentity,
    StrategyFailure,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialSpec,
    Usage,
)

_IMAGE = "sha256:" + "f" * 64


@dataclass(frozen=True)
class Script:
    """What a source does.

    Attributes:
        seconds: How long a trial takes.
        failure: How it fails, None when it does not.
        outcome: Of a trial that fails.
    """

    seconds: float = 0.01
    failure: StrategyFailure | None = None
    outcome: Outcome = Outcome.STRATEGY_ERROR


HONEST = Script()


@dataclass
class FakeSandbox:
    """Buys ``shares`` of the first symbol on the first bar and holds, unless scripted otherwise.

    Attributes:
        scripts: Source -> what it does; every other source is honest.
        members: Batches that run at the same time.
        live: Containers that would exist now.
        batches: Every batch it was given.
        raises: Raised by the coming calls, one each.
        honest: Makes the claim of an honest trial from source and trial, None for the above.
    """

    scripts: Mapping[str, Script] = field(default_factory=dict)
    members: int = 2
    live: int = 0
    batches: list[TrialBatch] = field(default_factory=list)
    raises: list[StratlabError] = field(default_factory=list)
    honest: Callable[[str, TrialSpec], TrialClaim] | None = None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.members)

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        self.batches.append(batch)
        if self.raises:
            raise self.raises.pop(0)
        if not batch.trials:
            return []
        async with self._slots:
            self.live += 1
            identity = SandboxIdentity(
                f"fake-{next(self._numbers)}", _IMAGE, batch.runtime, "e" * 64
            )
            try:
                claims: list[TrialClaim] = []
                for trial in batch.trials:
                    claims.append(await self._trial(batch, trial, identity, on_progress))
                    judged = judge_first is not None and len(claims) == 1
                    if judged and not await judge_first(claims[0]):
                        break
                return claims
            finally:
                self.live -= 1

    async def _trial(
        self,
        batch: TrialBatch,
        trial: TrialSpec,
        identity: SandboxIdentity,
        on_progress: ProgressListener,
    ) -> TrialClaim:
        script = self.scripts.get(batch.source, HONEST)
        bars = _bars(trial)

        def report(fraction: float) -> None:
            bar = bars[int(fraction * len(bars))]
            on_progress(
                TrialProgress(batch.campaign_id, trial.trial_id, fraction, bar, trial.capital)
            )

        began = time.monotonic()
        report(0.25)
        outcome, reason = Outcome.SUCCEEDED, ""
        try:
            async with asyncio.timeout(batch.limits_of(trial).wall_seconds):
                await asyncio.sleep(script.seconds)
        except TimeoutError:
            outcome, reason = Outcome.TIMEOUT_WALL, "not done in time"
        else:
            if script.failure is not None:
                outcome = script.outcome
                reason = f"{script.failure.type}: {script.failure.message}"
        usage = Usage(wall_seconds=time.monotonic() - began)
        if outcome is not Outcome.SUCCEEDED:
            failure = script.failure if outcome is Outcome.STRATEGY_ERROR else None
            return TrialClaim(
                trial.trial_id, outcome, reason, failure=failure, usage=usage, sandbox=identity
            )
        report(0.75)
        if self.honest is not None:
            return replace(self.honest(batch.source, trial), usage=usage, sandbox=identity)
        shares = int(trial.parameters.get("shares", 10))
        symbol = trial.market.symbols[0]
        return TrialClaim(
            trial.trial_id,
            outcome,
            log=(Order(1, bars[0], Phase.BAR, symbol, shares, OrderKind.MARKET),),
            equity=tuple(EquityPoint(bar, trial.capital) for bar in bars),
            usage=usage,
            sandbox=identity,
        )


def _bars(trial: TrialSpec) -> list[int]:
    window = trial.window
    days = ((window.start + timedelta(n)) for n in range((window.end - window.start).days + 1))
    return [
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        for day in days
        if day.weekday() < 5
    ]
