"""The life of one single-use container: warm up, run the trials of one candidate, die."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, final

import structlog

from stratlab.domain.errors import EngineError, EngineUnavailableError, InfrastructureError
from stratlab.domain.ports import FirstJudge, Lease, ProgressListener
from stratlab.domain.trial import (
    Outcome,
    SandboxIdentity,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialSpec,
    Usage,
)
from stratlab.sandbox.containers import (
    Site,
    Workplace,
    kill,
    launch,
    leased,
    socket_directory,
    state_of,
)
from stratlab.sandbox.engine_facts import ContainerState
from stratlab.sandbox.entries import FrameViolationError
from stratlab.sandbox.frames import (
    OUTPUT_TAIL_BYTES,
    EndSeen,
    FrameValidator,
    HelloSeen,
    ProgressSeen,
    ReadySeen,
)
from stratlab.sandbox.link import Link, LinkClosedError
from stratlab.sandbox.policy import is_gvisor
from stratlab.sandbox.threads import to_the_end
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.1
_DEATH_SECONDS: Final = 2.0
_GOODBYE_SECONDS: Final = 0.2
_TEARDOWN_SECONDS: Final = 60.0
_NONCE_BYTES: Final = 16
_SIGKILL_EXIT: Final = 137
_SIGNAL_EXIT: Final = 128


@final
@dataclass(frozen=True, slots=True)
class _Ending:
    # How one trial ended, before it is made a claim. `fatal`: the member goes with it.
    # `charged`: it happened, and is not run again.
    outcome: Outcome
    reason: str
    usage: Usage
    end: EndSeen | None = None
    fatal: bool = True
    charged: bool = True


@final
@dataclass(frozen=True, slots=True)
class MemberReport:
    """What a member brought home.

    Attributes:
        claims: One for each of the first trials, in order.
        lost: Why the next trial, which was begun, must be run again; "" when it was not.
        stopped: Whether the judge of the first trial wants no others.
    """

    claims: tuple[TrialClaim, ...]
    lost: str = ""
    stopped: bool = False


@final
class Member:
    """One container for some trials of one batch; :meth:`run` once.

    Args:
        workplace: Engine, leases and the rest.
        site: Image, runtime, limits and data.
        batch: Where the source comes from.
        startup_seconds: Deadline for becoming ready.
        on_progress: Called on the event loop with every sign of life.
    """

    def __init__(
        self,
        workplace: Workplace,
        site: Site,
        batch: TrialBatch,
        startup_seconds: float,
        on_progress: ProgressListener,
    ) -> None:
        self._workplace = workplace
        self._site = site
        self._batch = batch
        self._startup_seconds = startup_seconds
        self._on_progress = on_progress
        self._nonce = secrets.token_bytes(_NONCE_BYTES)
        self._frames = FrameValidator(self._nonce, workplace.clock.monotonic)

    async def run(
        self, trials: Sequence[TrialSpec], judge_first: FirstJudge | None = None
    ) -> MemberReport:
        """Run ``trials`` in order until one ends the member.

        Trials behind the last claim say nothing yet and may be run in another member, unless
        ``judge_first``, asked about the first claim, has stopped them.

        Raises:
            EngineError: The container did not become ready.
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is gone.
            UnsafeConfigurationError: The policy refuses the limits.
        """
        lifetime = (
            self._startup_seconds
            + self._batch.limits.wall_seconds * len(trials)
            + _TEARDOWN_SECONDS
        )
        campaign_id = self._batch.campaign_id
        async with leased(self._workplace, self._site, campaign_id, lifetime) as lease:
            link = Link(socket_directory(self._workplace, lease), lease.uid)
            try:
                return await self._live(link, lease, trials, judge_first)
            finally:
                await to_the_end(self._die(link, lease))

    async def _live(
        self,
        link: Link,
        lease: Lease,
        trials: Sequence[TrialSpec],
        judge_first: FirstJudge | None,
    ) -> MemberReport:
        began = self._workplace.clock.monotonic()
        await link.open()
        await launch(self._workplace, self._site, lease, link.directory)
        await self._warm_up(link, lease)
        startup = self._workplace.clock.monotonic() - began
        _log.debug("member ready", member=lease.member_id, startup_seconds=round(startup, 3))
        claims: list[TrialClaim] = []
        stopped = False
        try:
            for trial in trials:
                ending = await self._run_trial(link, lease, trial)
                if not ending.charged:
                    return MemberReport(tuple(claims), lost=ending.reason)
                claims.append(self._claim(lease, trial, ending, 0.0 if claims else startup))
                if judge_first is not None and len(claims) == 1:
                    stopped = not await judge_first(claims[0])
                if ending.fatal:
                    return MemberReport(tuple(claims), stopped=stopped)
                if stopped:
                    break
            await self._farewell(link)
        except FrameViolationError as violation:
            # About a trial that had ended: its claim is void; one that runs is innocent.
            return MemberReport(_voided(claims, violation), stopped=stopped)
        return MemberReport(tuple(claims), stopped=stopped)

    async def _die(self, link: Link, lease: Lease) -> None:
        # Killed before anything else: closing the link may take a moment.
        with suppress(InfrastructureError, EngineUnavailableError):
            await kill(self._workplace, self._site, lease)
        await link.close()

    async def _warm_up(self, link: Link, lease: Lease) -> None:
        # Raises EngineError: before it is ready nothing of a strategy has run in there.
        handshake = asyncio.create_task(self._handshake(link))
        death = asyncio.create_task(self._death(lease, within=None))
        try:
            await asyncio.wait(
                {handshake, death},
                timeout=self._startup_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if handshake.done():
                handshake.result()
            elif death.done():
                state = death.result()
                raise EngineError(
                    f"a container ended while it started: {_describe(state)}",
                    hint="Run `make image`, then `stratlab doctor`.",
                )
            else:
                raise EngineError(
                    f"a container was not ready within {self._startup_seconds:g} s",
                    hint="Raise sandbox.startup_seconds, or lower sandbox.members.",
                )
        except LinkClosedError as error:
            state = await self._death(lease, within=_DEATH_SECONDS)
            raise EngineError(
                f"a container hung up while it started: {_describe(state)}",
                hint="Run `make image`, then `stratlab doctor`.",
            ) from error
        except FrameViolationError as error:
            raise EngineError(f"a container did not greet as it should: {error!r}") from error
        finally:
            handshake.cancel()
            death.cancel()
            await asyncio.gather(handshake, death, return_exceptions=True)

    async def _handshake(self, link: Link) -> None:
        await link.attached()
        if not isinstance(self._frames.feed(await link.receive()), HelloSeen):
            raise FrameViolationError("no hello")
        await link.send(pb.AttachResponse(welcome=pb.Welcome(nonce=self._nonce)))
        if not isinstance(self._frames.feed(await link.receive()), ReadySeen):
            raise FrameViolationError("no ready")

    async def _run_trial(self, link: Link, lease: Lease, trial: TrialSpec) -> _Ending:
        limits = self._batch.limits_of(trial)
        clock = self._workplace.clock
        began = clock.monotonic()
        self._frames.begin(trial, limits)
        try:
            # The timer is the event loop's: whether frames come or stall does not matter.
            async with asyncio.timeout(limits.wall_seconds):
                request = _request(self._batch, trial, self._site.runtime)
                await link.send(pb.AttachResponse(run=request))
                end = await self._follow(link, trial)
        except TimeoutError:
            reason = f"not done after {limits.wall_seconds} s"
            return _Ending(Outcome.TIMEOUT_WALL, reason, Usage(clock.monotonic() - began))
        except FrameViolationError as violation:
            if violation.trial_id:
                raise
            elapsed = clock.monotonic() - began
            return _Ending(violation.outcome, violation.reason, Usage(elapsed))
        except LinkClosedError:
            elapsed = clock.monotonic() - began
            return await self._post_mortem(lease, Usage(elapsed))
        usage = replace(end.usage, wall_seconds=clock.monotonic() - began)
        # A fault of the runner may lie in what this container has become: try another.
        charged = not end.outcome.is_retried
        return _Ending(end.outcome, end.reason, usage, end, fatal=False, charged=charged)

    async def _follow(self, link: Link, trial: TrialSpec) -> EndSeen:
        while True:
            match self._frames.feed(await link.receive()):
                case EndSeen() as end:
                    return end
                case ProgressSeen(fraction, bar, equity):
                    self._on_progress(
                        TrialProgress(
                            self._batch.campaign_id, trial.trial_id, fraction, bar, equity
                        )
                    )

    async def _post_mortem(self, lease: Lease, usage: Usage) -> _Ending:
        # Nothing inside can send SIGKILL to the first process of its own namespace, so that
        # exit without the memory flag came from outside: the trial is lost, not guilty.
        state = await self._death(lease, within=_DEATH_SECONDS)
        if state is None:
            return _Ending(Outcome.LOST, "the container was removed", usage, charged=False)
        description = _describe(state)
        if state.running:
            reason = "the container closed its stream and went on"
            return _Ending(Outcome.PROTOCOL_VIOLATION, reason, usage)
        if state.oom_killed:
            reason = f"more than {self._batch.limits.memory_mib} MiB of memory"
            return _Ending(Outcome.OUT_OF_MEMORY, reason, usage)
        if state.exit_code == _SIGKILL_EXIT or not self._frames.started:
            return _Ending(Outcome.LOST, description, usage, charged=False)
        if state.exit_code > _SIGNAL_EXIT:
            return _Ending(Outcome.SIGNAL, description, usage)
        return _Ending(Outcome.PROTOCOL_VIOLATION, description, usage)

    async def _death(self, lease: Lease, within: float | None) -> ContainerState | None:
        # The state once the container does not run; when `within` is up, as it is then.
        clock = self._workplace.clock
        began = clock.monotonic()
        seen = False
        while True:
            state = await state_of(self._workplace, self._site, lease)
            waited = clock.monotonic() - began
            over = within is not None and waited >= within
            if state is None or over:
                return state
            if not state.running:
                # The kernel's word on memory may arrive after that on the exit.
                if seen or state.oom_killed or state.exit_code != _SIGKILL_EXIT:
                    return state
                seen = True
            await asyncio.sleep(_POLL_SECONDS)

    async def _farewell(self, link: Link) -> None:
        # What is still on the way after the last end is read: honest runners send nothing.
        with suppress(LinkClosedError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await link.send(pb.AttachResponse(goodbye=pb.Goodbye()))
                while True:
                    self._frames.feed(await link.receive())

    def _claim(self, lease: Lease, trial: TrialSpec, ending: _Ending, startup: float) -> TrialClaim:
        record = self._frames.record
        return TrialClaim(
            trial_id=trial.trial_id,
            outcome=ending.outcome,
            reason=ending.reason,
            log=tuple(record.log),
            fills=tuple(record.fills),
            equity=tuple(record.equity),
            failure=ending.end.failure if ending.end else None,
            output_tail=record.output_tail,
            usage=replace(ending.usage, startup_seconds=startup),
            sandbox=SandboxIdentity(
                member_id=lease.member_id,
                image_id=lease.image_id,
                runtime=lease.runtime,
                seccomp_digest=self._workplace.profile.digest,
            ),
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
        seed=trial.seed,
        output_tail_bytes=OUTPUT_TAIL_BYTES,
        max_output_bytes=limits.output_mib << 20,
        symbols=trial.market.symbols,
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


def _describe(state: ContainerState | None) -> str:
    if state is None:
        return "it was removed"
    if state.error:
        return state.error
    return f"exit code {state.exit_code}" + (", out of memory" if state.oom_killed else "")
