"""The work of one container: it runs trials of one candidate, some beside each other, and dies.

What is charged to a strategy never depends on what ran beside it: a trial that had company and
did not succeed is run again by itself.
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, final

from stratlab.domain.ports import FirstJudge, ProgressListener
from stratlab.domain.trial import (
    Limits,
    Outcome,
    SandboxIdentity,
    StrategyFailure,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialSpec,
    Usage,
)
from stratlab.sandbox.containers import Workplace
from stratlab.sandbox.entries import FrameViolationError
from stratlab.sandbox.frames import OUTPUT_TAIL_BYTES, EndSeen, ProgressSeen
from stratlab.sandbox.link import LinkClosedError
from stratlab.sandbox.policy import is_gvisor
from stratlab.sandbox.warm_member import DEATH_SECONDS, WarmMember, describe
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

_GOODBYE_SECONDS: Final = 0.2
# In which the container ends a trial at its wall deadline by itself; if it does not, it is killed
# with all that runs in it, which in company is worth a little patience.
_GRACE_SECONDS: Final = 0.3
_GRACE_IN_COMPANY_SECONDS: Final = 3.0
_SIGKILL_EXIT: Final = 137
_SIGNAL_EXIT: Final = 128
_MIB: Final = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class MemberReport:
    """What a member brought home.

    Attributes:
        claims: Of the trials that ended, in the order of their ends.
        lost: Why a trial that was asked for must be run again; "" when none must.
        stopped: Whether the judge of the first trial wants no others.
        suspects: Trials that ran when the member died, none of them known to have done it: they
            had company.
        answered: Whether the member said anything about any trial.
    """

    claims: tuple[TrialClaim, ...]
    lost: str = ""
    stopped: bool = False
    suspects: tuple[str, ...] = ()
    answered: bool = True


@final
@dataclass(slots=True)
class _Run:
    # A trial between its request and its end. `began`: by the clock of measurements;
    # `deadline`: by that of the event loop.
    trial: TrialSpec
    limits: Limits
    began: float
    deadline: float
    alone: bool

    @property
    def patience_ends(self) -> float:
        return self.deadline + (_GRACE_SECONDS if self.alone else _GRACE_IN_COMPANY_SECONDS)


@final
@dataclass(frozen=True, slots=True)
class _Death:
    # Why a member cannot go on; both as in MemberReport.
    lost: str = ""
    suspects: tuple[str, ...] = ()


@final
class Member:
    """What a warm container does for a batch; :meth:`run` once.

    Args:
        workplace: Engine, leases and the rest.
        warm: The container; its owner closes it.
        batch: Where the source comes from.
        on_progress: Called on the event loop with every sign of life.
        waited_seconds: How long the batch waited for the container, told with the first claim.
    """

    def __init__(
        self,
        workplace: Workplace,
        warm: WarmMember,
        batch: TrialBatch,
        on_progress: ProgressListener,
        waited_seconds: float = 0.0,
    ) -> None:
        self._workplace = workplace
        self._warm = warm
        self._batch = batch
        self._on_progress = on_progress
        self._waited_seconds = waited_seconds
        self._running: dict[str, _Run] = {}
        self._claims: list[TrialClaim] = []
        self._doubtful: list[TrialSpec] = []
        self._answered = False

    async def run(
        self,
        trials: Sequence[TrialSpec],
        judge_first: FirstJudge | None = None,
        lanes: int = 1,
    ) -> MemberReport:
        """Run ``trials`` until all have ended or one has ended the member.

        Trials without a claim say nothing yet and may be run in another member, unless
        ``judge_first``, asked about the first claim, has stopped them.

        Args:
            trials: Of the batch.
            judge_first: Asked while no other trial runs.
            lanes: Trials that run at the same time.

        Raises:
            EngineError, EngineUnavailableError: The engine does not say how the container ended.
        """
        death: _Death | None = None
        stopped = False
        rest = trials
        try:
            if judge_first is not None:
                death = await self._run_all(trials[:1], 1)
                rest = trials[1:]
                if self._claims:
                    stopped = not await judge_first(self._claims[0])
            if death is None and not stopped:
                death = await self._run_all(rest, lanes)
            while death is None and self._doubtful:
                death = await self._run_all([self._doubtful.pop(0)], 1)
            if death is None:
                await self._farewell()
        except FrameViolationError as violation:
            # About a trial that had ended: its claim is void; those that run are innocent.
            return MemberReport(_voided(self._claims, violation), stopped=stopped)
        death = death or _Death()
        return MemberReport(
            tuple(self._claims), death.lost, stopped, death.suspects, self._answered
        )

    def verdict(self, trial: TrialSpec, outcome: Outcome, reason: str) -> TrialClaim:
        """Return the claim of a trial that others have judged while it ran.

        Args:
            trial: As :meth:`run` was told.
            outcome: How it ended.
            reason: One sentence.
        """
        run = self._running[trial.trial_id]
        return self._made(run, outcome, reason, Usage(self._elapsed(run)), None)

    async def _run_all(self, trials: Sequence[TrialSpec], lanes: int) -> _Death | None:
        # None when all have ended and the member lives.
        waiting = deque(trials)
        loop = asyncio.get_running_loop()
        while waiting or self._running:
            try:
                while waiting and len(self._running) < lanes:
                    await self._begin(waiting.popleft())
                # The timer is the event loop's: whether frames come or stall does not matter.
                deadline = min(run.patience_ends for run in self._running.values())
                async with asyncio.timeout_at(deadline):
                    data = await self._warm.link.receive()
                death = self._hear(data) if loop.time() < deadline else self._late()
            except TimeoutError:
                death = self._late()
            except FrameViolationError as violation:
                if violation.trial_id:
                    raise
                death = self._guilty(violation.outcome, violation.reason)
            except LinkClosedError:
                death = await self._post_mortem()
            if death is not None:
                return death
        return None

    async def _begin(self, trial: TrialSpec) -> None:
        limits = self._batch.limits_of(trial)
        self._warm.frames.begin(trial, limits)
        deadline = asyncio.get_running_loop().time() + limits.wall_seconds
        for run in self._running.values():
            run.alone = False
        began = self._workplace.clock.monotonic()
        self._running[trial.trial_id] = _Run(
            trial, limits, began, deadline, alone=not self._running
        )
        await self._warm.link.send(
            pb.AttachResponse(run=_request(self._batch, trial, self._warm.site.runtime))
        )

    def _hear(self, data: bytes) -> _Death | None:
        event = self._warm.frames.feed(data)
        self._answered = True
        match event:
            case ProgressSeen(trial_id, fraction, bar, equity):
                campaign_id = self._batch.campaign_id
                self._on_progress(TrialProgress(campaign_id, trial_id, fraction, bar, equity))
            case EndSeen() as end:
                return self._ended(end)
        return None

    def _ended(self, end: EndSeen) -> _Death | None:
        run = self._running.pop(end.trial_id)
        if end.outcome.is_retried:
            # A fault of the runner may lie in what this container has become: try another.
            return _Death(end.reason, () if run.alone else (end.trial_id, *self._running))
        usage = replace(end.usage, wall_seconds=self._elapsed(run))
        most = run.limits.memory_mib * _MIB
        succeeded = end.outcome is Outcome.SUCCEEDED and usage.max_rss_bytes <= most
        if run.alone or succeeded:
            self._claim(run, end.outcome, end.reason, usage, end.failure)
        else:
            self._doubtful.append(run.trial)
        return None

    def _late(self) -> _Death:
        seconds = min(run.limits.wall_seconds for run in self._running.values())
        return self._guilty(Outcome.TIMEOUT_WALL, f"not done after {seconds} s")

    def _guilty(self, outcome: Outcome, reason: str) -> _Death:
        # Of something that the member does not survive: the trial that ran, if it was one.
        (run, *others) = self._running.values()
        if others or not run.alone:
            return _Death(reason, tuple(self._running))
        self._claim(run, outcome, reason, Usage(self._elapsed(run)), None)
        return _Death()

    async def _post_mortem(self) -> _Death:
        # Nothing inside can send SIGKILL to the first process of its own namespace, so that
        # exit without the memory flag came from outside: the trial is lost, not guilty.
        state = await self._warm.death(within=DEATH_SECONDS)
        if state is None:
            return _Death("the container was removed")
        description = describe(state)
        if state.running:
            reason = "the container closed its stream and went on"
            return self._guilty(Outcome.PROTOCOL_VIOLATION, reason)
        if state.oom_killed:
            reason = f"more than {self._warm.site.limits.memory_mib} MiB of memory"
            return self._guilty(Outcome.OUT_OF_MEMORY, reason)
        started = any(map(self._warm.frames.has_started, self._running))
        if state.exit_code == _SIGKILL_EXIT or not started:
            return _Death(description)
        if state.exit_code > _SIGNAL_EXIT:
            return self._guilty(Outcome.SIGNAL, description)
        return self._guilty(Outcome.PROTOCOL_VIOLATION, description)

    async def _farewell(self) -> None:
        # What is still on the way after the last end is read: honest runners send nothing.
        with suppress(LinkClosedError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._warm.link.send(pb.AttachResponse(goodbye=pb.Goodbye()))
                while True:
                    self._warm.frames.feed(await self._warm.link.receive())

    def _elapsed(self, run: _Run) -> float:
        return self._workplace.clock.monotonic() - run.began

    def _claim(
        self,
        run: _Run,
        outcome: Outcome,
        reason: str,
        usage: Usage,
        failure: StrategyFailure | None,
    ) -> None:
        self._claims.append(self._made(run, outcome, reason, usage, failure))

    def _made(
        self,
        run: _Run,
        outcome: Outcome,
        reason: str,
        usage: Usage,
        failure: StrategyFailure | None,
    ) -> TrialClaim:
        record = self._warm.frames.record_of(run.trial.trial_id)
        startup = 0.0 if self._claims else self._waited_seconds
        lease = self._warm.lease
        return TrialClaim(
            trial_id=run.trial.trial_id,
            outcome=outcome,
            reason=reason,
            log=tuple(record.log),
            fills=tuple(record.fills),
            equity=tuple(record.equity),
            failure=failure,
            output_tail=record.output_tail,
            usage=replace(usage, startup_seconds=startup),
            sandbox=SandboxIdentity(
                member_id=lease.member_id,
                image_id=lease.image_id,
                runtime=lease.runtime,
                seccomp_digest=self._workplace.profile.digest,
                engine=self._batch.engine,
            ),
            data_calls=record.data_calls,
        )


def _request(batch: TrialBatch, trial: TrialSpec, runtime: str) -> pb.RunTrial:
    limits, cost = batch.limits_of(trial), trial.cost_model
    return pb.RunTrial(
        trial_id=trial.trial_id,
        source=batch.source,
        parameters_json=json.dumps(dict(trial.parameters), sort_keys=True, allow_nan=False),
        start=trial.window.start.isoformat(),
        end=trial.window.end.isoformat(),
        capital=trial.capital,
        cost_model=cost.kind.value,
        slippage_bps=cost.slippage_bps,
        commission_per_share=cost.commission_per_share,
        volume_limit=cost.volume_limit,
        max_leverage=limits.max_leverage,
        max_position_shares=limits.max_position_shares or 0,
        cpu_seconds=limits.cpu_seconds,
        wall_seconds=limits.wall_seconds,
        seed=trial.seed,
        output_tail_bytes=OUTPUT_TAIL_BYTES,
        max_output_bytes=limits.output_mib << 20,
        symbols=trial.market.symbols,
        engine=batch.engine,
        # Under runc the kernel ends the greedy process alone; gVisor would die as a whole.
        added_memory_bytes=limits.memory_mib << 20 if is_gvisor(runtime) else 0,
    )


def _voided(claims: Sequence[TrialClaim], violation: FrameViolationError) -> tuple[TrialClaim, ...]:
    culprit = violation.trial_id or claims[-1].trial_id
    return tuple(
        replace(claim, outcome=Outcome.PROTOCOL_VIOLATION, reason=violation.reason)
        if claim.trial_id == culprit
        else claim
        for claim in claims
    )
