"""Whether containers may be used: proven once per runtime and start, and not before."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import structlog

from stratlab.domain.errors import SandboxNotReadyError, StratlabError
from stratlab.domain.flag import Flag
from stratlab.sandbox.canary import CanaryReport, prove
from stratlab.sandbox.containers import Workplace
from stratlab.sandbox.host_paths import HostPaths
from stratlab.sandbox.labels import ContainerKind, ContainerLabels
from stratlab.sandbox.mount_check import check_mounts
from stratlab.sandbox.policy import HostTraits

_log = structlog.get_logger(__name__)

_COOL_DOWN_SECONDS: Final = 10.0
_CHECK_SECONDS: Final = 120.0


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """What a successful proof allows to run: this image on this host, which has so much memory."""

    image_id: str
    host: HostTraits
    report: CanaryReport
    memory_mib: int


@final
class Readiness:
    """Proves runtimes on demand and remembers the answer.

    A proof holds until the controller ends, the engine goes away, or :meth:`invalidate` is
    called. It is never stored: the engine's configuration, the kernel's settings and the image
    can change while nobody looks, without any version number telling. A failed proof is tried
    again by the next one that asks; after ten seconds when it was a limit that did not hold.

    Args:
        workplace: Engine, leases and the rest.
        image: Tag of the sandbox image.
        cgroup_parent: From the settings.
        paths: How the engine sees our directories.
        data: Directory of all data sets.
    """

    def __init__(
        self, workplace: Workplace, image: str, cgroup_parent: str, paths: HostPaths, data: Path
    ) -> None:
        self._workplace = workplace
        self._image = image
        self._cgroup_parent = cgroup_parent
        self._paths = paths
        self._data = data
        self._proofs: dict[str, asyncio.Task[Proof]] = {}
        self._failed_at: dict[str, float] = {}
        self._flags: dict[str, Flag] = {}

    async def proven(self, runtime: str) -> Proof:
        """Return the proof of ``runtime``, waiting for one that is under way.

        Raises:
            SandboxNotReadyError: The image or the runtime is missing, or a limit is unproven.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
            UnsafeConfigurationError: The policy refuses.
        """
        task = self._proofs.get(runtime)
        if task is None or self._may_try_again(runtime, task):
            task = asyncio.create_task(self._prove(runtime), name=f"prove-{runtime}")
            self._proofs[runtime] = task
        # Whoever waits may be cancelled; the proof serves the others.
        return await asyncio.shield(task)

    def known(self, runtime: str) -> Proof | None:
        """Return the proof of ``runtime`` if it was made, without waiting."""
        task = self._proofs.get(runtime)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    def flag(self, runtime: str) -> Flag:
        """Return the flag that is set while ``runtime`` is proven."""
        return self._flags.setdefault(runtime, Flag())

    def invalidate(self, runtime: str) -> None:
        """Forget a proof, because something it rests on has changed."""
        task = self._proofs.get(runtime)
        if task is not None and task.done():
            del self._proofs[runtime]
            self.flag(runtime).clear()

    def invalidate_all(self) -> None:
        """Forget every proof, because the engine has gone away: another one may come back."""
        for runtime in list(self._proofs):
            self.invalidate(runtime)

    async def close(self) -> None:
        """End proofs that are under way."""
        tasks = list(self._proofs.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _may_try_again(self, runtime: str, task: asyncio.Task[Proof]) -> bool:
        if not task.done() or (not task.cancelled() and task.exception() is None):
            return False
        failed_at = self._failed_at.get(runtime)
        return (
            failed_at is None or self._workplace.clock.monotonic() - failed_at >= _COOL_DOWN_SECONDS
        )

    async def _prove(self, runtime: str) -> Proof:
        try:
            proof = await self._proof(runtime)
        except StratlabError as error:
            # A limit that does not hold will not do so in a moment; an engine may be back, and
            # a disk have room again, by the time that somebody asks the next time.
            if isinstance(error, SandboxNotReadyError):
                self._failed_at[runtime] = self._workplace.clock.monotonic()
            else:
                self._failed_at.pop(runtime, None)
            _log.warning("sandbox not ready", runtime=runtime, reason=str(error))
            raise
        _log.info(
            "sandbox proven",
            runtime=runtime,
            image=proof.image_id,
            seconds=round(proof.report.seconds, 2),
        )
        self.flag(runtime).set()
        return proof

    async def _proof(self, runtime: str) -> Proof:
        threads, engine = self._workplace.threads, self._workplace.engine
        info = await threads.call(engine.info)
        info.require_own_user_ids()
        if runtime not in info.runtimes:
            raise SandboxNotReadyError(
                f"the Docker engine has no runtime {runtime!r}",
                hint="Use another one, or install it: for runsc run `make gvisor` as root.",
                runtime=runtime,
            )
        host = HostTraits(
            info.cgroup_version, info.cgroup_driver, self._cgroup_parent, info.cpus, self._paths
        )
        image_id = await threads.call(engine.resolve_image, self._image)
        await threads.call(check_mounts, engine, image_id, host, self._labels(), self._mounted())
        report = await prove(self._workplace, image_id, runtime, host)
        report.require_all()
        return Proof(image_id, host, report, info.memory_bytes >> 20)

    def _labels(self) -> ContainerLabels:
        shop = self._workplace
        return ContainerLabels(
            installation=shop.installation,
            controller=shop.controller,
            member=f"stratlab-{shop.installation[:8]}-check-{secrets.token_hex(6)}",
            campaign="mount-check",
            deadline=int(shop.clock.now().timestamp() + _CHECK_SECONDS),
            kind=ContainerKind.JOB,
        )

    def _mounted(self) -> list[Path]:
        # Before the first data set is built there is nothing but sockets to mount.
        data = self._data.resolve()
        return [self._workplace.socket_root, *([data] if data.is_dir() else [])]
