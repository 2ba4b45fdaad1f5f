"""Finds containers, leases and sockets that nobody needs any more, and removes them."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import structlog

from stratlab.domain.errors import EngineUnavailableError, InfrastructureError
from stratlab.domain.ports import Clock, Lease, Leases
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.engine_facts import ContainerSummary
from stratlab.sandbox.identity import abandoned_socket_roots, may_be_alive, member_prefix
from stratlab.sandbox.labels import INSTALLATION_LABEL, ContainerKind, ContainerLabels
from stratlab.sandbox.threads import Threads

_log = structlog.get_logger(__name__)

SWEEP_SECONDS: Final = 15.0


@final
@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep removed, by name."""

    containers: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    directories: tuple[str, ...] = field(default=())


@final
class Reaper:
    """Reconciles the engine's containers with the leases of one installation.

    Args:
        engine: Where containers are.
        leases: Which of them may be.
        clock: For deadlines.
        installation: Containers of others are never touched.
        sockets: Directory of the directories of sockets; None for the usual one.
        only_controller: Identity of the one controller that can be alive, when that is known
            for certain; in a container a controller does not see whether others are.
        left: Names of this controller's own containers that are done; those that a sweep has
            removed are taken out.
        cgroups: Where control groups of members are that the controller made.
    """

    def __init__(
        self,
        engine: DockerEngine,
        leases: Leases,
        clock: Clock,
        installation: str,
        *,
        sockets: Path | None = None,
        only_controller: str = "",
        left: set[str] | None = None,
        cgroups: MemberCgroups | None = None,
    ) -> None:
        self._engine = engine
        self._leases = leases
        self._clock = clock
        self._installation = installation
        self._sockets = sockets
        self._only_controller = only_controller
        self._left = left if left is not None else set()
        self._cgroups = cgroups

    def sweep(self) -> SweepReport:
        """Remove every container of ours that is orphaned or late, and what belongs to it.

        Blocks; safe to call at any time, also while members start and end.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused to list.
        """
        # Groups and containers first: a lease is written before they are made and released
        # after they are gone, so what is in these lists and has no lease in the later one is
        # an orphan for certain.
        groups = self._groups()
        containers = self._engine.labelled(INSTALLATION_LABEL, self._installation)
        leases = {lease.member_id: lease for lease in self._leases.live()}
        removed = [
            container.name
            for container in containers
            if self._is_over(container, leases) and self._remove(container.name)
        ]
        released = [
            lease.member_id
            for lease in leases.values()
            if self._is_void(lease) and self._remove(lease.member_id)
        ]
        for member_id in released:
            self._leases.release(member_id)
        self._left.difference_update(removed, released)
        if self._cgroups is not None:
            self._cgroups.sweep(groups - leases.keys() | groups.intersection(released))
        directories = [
            str(path) for path in abandoned_socket_roots(self._installation, self._sockets)
        ]
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)
        report = SweepReport(tuple(removed), tuple(released), tuple(directories))
        if removed or released or directories:
            _log.info("swept", containers=removed, leases=released, socket_directories=directories)
        return report

    async def keep_sweeping(self, threads: Threads, on_engine_gone: Callable[[], None]) -> None:
        """Sweep for ever; an engine that is away is asked again at the next turn.

        Args:
            threads: Where to sweep.
            on_engine_gone: Called after each sweep that no engine answered.
        """
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await threads.call(self.sweep)
            except InfrastructureError as error:
                _log.warning("sweep failed", error=str(error))
            except EngineUnavailableError as error:
                _log.warning("sweep failed", error=str(error))
                on_engine_gone()

    def _groups(self) -> set[str]:
        if self._cgroups is None:
            return set()
        return self._cgroups.members(member_prefix(self._installation))

    def _is_over(self, container: ContainerSummary, leases: dict[str, Lease]) -> bool:
        if container.name in self._left:
            return True
        labels = ContainerLabels.from_mapping(container.labels)
        if labels.deadline <= self._clock.now().timestamp():
            return True
        if labels.kind is ContainerKind.JOB:
            # Run by commands too, which need not be the controller.
            return not may_be_alive(labels.controller)
        return not self._may_live(labels.controller) or container.name not in leases

    def _is_void(self, lease: Lease) -> bool:
        return (
            lease.member_id in self._left
            or lease.deadline <= self._clock.now()
            or not self._may_live(lease.owner)
        )

    def _may_live(self, controller: str) -> bool:
        if self._only_controller:
            return controller == self._only_controller
        return may_be_alive(controller)

    def _remove(self, name: str) -> bool:
        if self._cgroups is not None:
            self._cgroups.kill(name)
        try:
            self._engine.remove(name)
        except (InfrastructureError, EngineUnavailableError) as error:
            _log.warning("container not removed", member=name, error=str(error))
            return False
        return True
