"""Runs our own programs in the sandbox image, where zipline is, without network."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, final

from stratlab.domain.errors import EngineError
from stratlab.domain.ports import Clock
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.host_paths import SAME_PATHS, HostPaths
from stratlab.sandbox.identity import controller_id
from stratlab.sandbox.labels import ContainerKind, ContainerLabels
from stratlab.sandbox.policy import HostTraits, job_config

_TIMEOUT_SECONDS: Final = 300
_TRACEBACK: Final = "Traceback (most recent call last):"
_TAIL_CHARACTERS: Final = 2_000


@final
class DockerJobs:
    """The port ``TrustedJobs`` over a Docker engine.

    Args:
        engine: Where to run.
        clock: For the deadline.
        image: Tag of the sandbox image.
        installation: Id of the home directory, for the reaper.
        cgroup_parent: From the settings.
        timeout_seconds: After which a job is killed.
        paths: How the engine sees our directories.
    """

    def __init__(
        self,
        engine: DockerEngine,
        clock: Clock,
        image: str,
        installation: str,
        cgroup_parent: str = "",
        timeout_seconds: int = _TIMEOUT_SECONDS,
        paths: HostPaths = SAME_PATHS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._image = image
        self._installation = installation
        self._cgroup_parent = cgroup_parent
        self._timeout_seconds = timeout_seconds
        self._paths = paths

    def image_id(self) -> str:
        """Return the content address of the image that jobs run in.

        Raises:
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing.
        """
        return self._engine.resolve_image(self._image)

    def run(self, module: str, *, read: Mapping[str, Path], write: Mapping[str, Path]) -> None:
        """Run ``python -P -m module`` until it ends, as the owner of the first writable directory.

        Args:
            module: A module of ``stratlab_runner``.
            read: Container directory -> host directory, mounted read-only.
            write: Container directory -> host directory, mounted writable.

        Raises:
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing, or the engine remaps user ids.
            UnsafeConfigurationError: The module is not ours, a path is not absolute, or the
                engine does not see it.
            EngineError: The job failed; the message ends with its last lines.
        """
        name = f"stratlab-{self._installation[:8]}-job-{secrets.token_hex(6)}"
        info = self._engine.info()
        info.require_own_user_ids()
        deadline = self._clock.now() + timedelta(seconds=self._timeout_seconds + 60)
        owner = next(iter(write.values()), Path.home()).stat()
        config = job_config(
            image_id=self._engine.resolve_image(self._image),
            user=f"{owner.st_uid}:{owner.st_gid}",
            module=module,
            read=read,
            write=write,
            labels=ContainerLabels(
                installation=self._installation,
                controller=controller_id(),
                member=name,
                campaign="job",
                deadline=int(deadline.timestamp()),
                kind=ContainerKind.JOB,
            ),
            host=HostTraits(
                info.cgroup_version,
                info.cgroup_driver,
                self._cgroup_parent,
                info.cpus,
                self._paths,
            ),
        )
        code, output = self._engine.run_to_end(name, config, self._timeout_seconds)
        if code == 0:
            return
        ended = f"failed with exit code {code}"
        if code is None:
            ended = f"was not done after {self._timeout_seconds} s"
        raise EngineError(f"{module} {ended}: {_tail(output)}", output=output[-_TAIL_CHARACTERS:])


def _tail(output: str) -> str:
    # People get the error itself; its traceback is in the error's data.
    before, is_traceback, trace = output.strip().rpartition(_TRACEBACK)
    lines = trace.splitlines()
    starts = [n for n, line in enumerate(lines) if line and not line.startswith(" ")]
    text = "\n".join(lines[starts[0] :]) if is_traceback and starts else before + trace
    return text[-_TAIL_CHARACTERS:]
