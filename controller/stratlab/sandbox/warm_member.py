"""One container from its lease to the moment it waits for code, and its end."""

import asyncio
import secrets
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from typing import Final, Self, final

import structlog

from stratlab.domain.errors import (
    EngineError,
    EngineUnavailableError,
    InfrastructureError,
    StratlabError,
)
from stratlab.domain.ports import Lease
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
from stratlab.sandbox.frames import FrameValidator, HelloSeen, ReadySeen
from stratlab.sandbox.link import Link, LinkClosedError
from stratlab.sandbox.sealed_feeder import Feeder
from stratlab.sandbox.threads import to_the_end
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

_log = structlog.get_logger(__name__)

DEATH_SECONDS: Final = 2.0
"""How long the engine may take to see the end of a container whose link has closed."""
TEARDOWN_SECONDS: Final = 60.0
"""What a lease has in reserve for removing its container."""
LONGEST_USE_SECONDS: Final = 86_400.0
"""The longest work that a container of the pool can be given."""

_POLL_SECONDS: Final = 0.1
_NONCE_BYTES: Final = 16
_SIGKILL_EXIT: Final = 137


@final
class WarmMember:
    """A container that has opened its data and waits for code; use it once, and close it.

    Attributes:
        site: What it is made from.
        lease: Its lease.
        link: Its end of the wire.
        frames: What checks the wire, past its greeting.
        startup_seconds: What it took to get here.
    """

    def __init__(
        self, workplace: Workplace, site: Site, lease: Lease, feeder: Feeder | None = None
    ) -> None:
        self.site = site
        self.lease = lease
        self.link = Link(socket_directory(workplace, lease), lease.uid)
        self.startup_seconds = 0.0
        self._nonce = secrets.token_bytes(_NONCE_BYTES)
        self.frames = FrameValidator(
            self._nonce, workplace.clock.monotonic, sealed=feeder is not None
        )
        self._feeder = feeder
        self._workplace = workplace
        self._leased = AsyncExitStack()
        self._assignment: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        workplace: Workplace,
        site: Site,
        startup_seconds: float,
        *,
        campaign_id: str,
        lifetime_seconds: float,
        longest_use_seconds: float = 0.0,
        feeder: Feeder | None = None,
    ) -> Self:
        """Lease, create and start a container and wait until it is warm.

        A cancellation, or an error, is delivered when nothing of it is left.

        Args:
            workplace: Engine, leases and the rest.
            site: What it is made from.
            startup_seconds: Deadline for becoming warm.
            campaign_id: For whom.
            lifetime_seconds: Beyond the start, until anybody may remove it.
            longest_use_seconds: By how much :meth:`assign` may extend that.
            feeder: What reveals its market to it, where its site has no data.

        Raises:
            EngineError: It did not become warm.
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is gone.
            UnsafeConfigurationError: The policy refuses the limits.
        """
        lifetime = startup_seconds + lifetime_seconds + TEARDOWN_SECONDS
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(leased(workplace, site, campaign_id, lifetime))
            member = cls(workplace, site, lease, feeder)
            await member._begin(stack, startup_seconds, longest_use_seconds)
        return member

    def assign(self, campaign_id: str, lifetime_seconds: float) -> None:
        """Give its lease to a campaign; the row is written in the background.

        It may be late: an idle container of a dead controller is removed all the same.
        """
        deadline = self._workplace.clock.now() + timedelta(
            seconds=lifetime_seconds + TEARDOWN_SECONDS
        )
        self._assignment = asyncio.create_task(self._assign(campaign_id, deadline))

    async def gone(self) -> None:
        """Wait until a container that should wait silently says something or hangs up."""
        await asyncio.wait({self.link.arrival()})

    async def death(self, within: float | None) -> ContainerState | None:
        """Return the state once the container does not run; when ``within`` is up, as it is then.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        clock = self._workplace.clock
        began = clock.monotonic()
        seen = False
        while True:
            state = await state_of(self._workplace, self.site, self.lease)
            over = within is not None and clock.monotonic() - began >= within
            if state is None or over:
                return state
            if not state.running:
                # The kernel's word on memory may arrive after that on the exit.
                if seen or state.oom_killed or state.exit_code != _SIGKILL_EXIT:
                    return state
                seen = True
            await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Kill and remove the container and release its lease; delivers a cancellation after."""
        await to_the_end(self._leased.aclose())

    async def _begin(
        self, stack: AsyncExitStack, startup_seconds: float, longest_use_seconds: float
    ) -> None:
        clock = self._workplace.clock
        began = clock.monotonic()
        stack.push_async_callback(lambda: to_the_end(self._die()))
        await self.link.open()
        if self._feeder is not None:
            await self._feeder.open(self.link.directory, self.lease.uid)
        await launch(
            self._workplace, self.site, self.lease, self.link.directory, longest_use_seconds
        )
        await self._warm_up(startup_seconds)
        self._leased = stack.pop_all()
        self.startup_seconds = clock.monotonic() - began
        seconds = round(self.startup_seconds, 3)
        _log.debug("member warm", member=self.lease.member_id, startup_seconds=seconds)

    async def _die(self) -> None:
        # Killed before anything else: the rest may take a moment.
        with suppress(InfrastructureError, EngineUnavailableError):
            await kill(self._workplace, self.site, self.lease)
        if self._feeder is not None:
            self._feeder.close()
        await self.link.close()
        if self._assignment is not None:
            await self._assignment

    async def _assign(self, campaign_id: str, deadline: datetime) -> None:
        try:
            await self._workplace.threads.call(
                self._workplace.leases.assign, self.lease.member_id, campaign_id, deadline
            )
        except StratlabError as error:
            _log.warning("lease not assigned", member=self.lease.member_id, error=str(error))

    async def _warm_up(self, seconds: float) -> None:
        # Raises EngineError: before it is ready nothing of a strategy has run in there.
        handshake = asyncio.create_task(self._handshake())
        death = asyncio.create_task(self.death(within=None))
        try:
            await asyncio.wait(
                {handshake, death}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if handshake.done():
                handshake.result()
            elif death.done():
                raise EngineError(
                    f"a container ended while it started: {describe(death.result())}",
                    hint="Run `make image`, then `stratlab doctor`.",
                )
            else:
                raise EngineError(
                    f"a container was not ready within {seconds:g} s",
                    hint="Raise sandbox.startup_seconds, or lower sandbox.members.",
                )
        except LinkClosedError as error:
            state = await self.death(within=DEATH_SECONDS)
            raise EngineError(
                f"a container hung up while it started: {describe(state)}",
                hint="Run `make image`, then `stratlab doctor`.",
            ) from error
        except FrameViolationError as error:
            raise EngineError(f"a container did not greet as it should: {error!r}") from error
        finally:
            handshake.cancel()
            death.cancel()
            await asyncio.gather(handshake, death, return_exceptions=True)

    async def _handshake(self) -> None:
        await self.link.attached()
        if not isinstance(self.frames.feed(await self.link.receive()), HelloSeen):
            raise FrameViolationError("no hello")
        await self.link.send(pb.AttachResponse(welcome=pb.Welcome(nonce=self._nonce)))
        if not isinstance(self.frames.feed(await self.link.receive()), ReadySeen):
            raise FrameViolationError("no ready")


def describe(state: ContainerState | None) -> str:
    """Return how a container ended, in a few words."""
    if state is None:
        return "it was removed"
    if state.error:
        return state.error
    return f"exit code {state.exit_code}" + (", out of memory" if state.oom_killed else "")
