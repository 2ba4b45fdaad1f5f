"""What an engine says about itself and its containers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from stratlab.domain.errors import SandboxNotReadyError


@final
@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says about itself.

    Attributes:
        version: Of the engine.
        kernel: Of the host.
        cgroup_version: 1 or 2.
        cgroup_driver: ``cgroupfs``, ``systemd`` or ``none``.
        storage_driver: For images.
        runtimes: Names that a container may ask for, sorted.
        components: Name -> version of containerd, runc and the like.
        security_options: For example ``name=seccomp,profile=default``.
        root_directory: Where images and containers are kept.
        cpus: Cores of the host.
        memory_bytes: Memory of the host.
    """

    version: str
    kernel: str
    cgroup_version: int
    cgroup_driver: str
    storage_driver: str
    runtimes: tuple[str, ...]
    components: Mapping[str, str]
    security_options: tuple[str, ...]
    root_directory: str
    cpus: int
    memory_bytes: int

    def require_own_user_ids(self) -> None:
        """Check that a user id in a container is the same id on the host.

        Sockets and files are closed to all but one user id, and ids are dealt from a range that
        a remapping engine does not have.

        Raises:
            SandboxNotReadyError: The engine is rootless, or remaps user namespaces.
        """
        names = {option.partition(",")[0] for option in self.security_options}
        if "name=rootless" in names:
            raise SandboxNotReadyError(
                "the Docker engine is rootless: user ids in containers are not those of the host",
                hint="Use an engine that runs as root (sandbox.engine), see docs/deployment.md.",
            )
        if "name=userns" in names:
            raise SandboxNotReadyError(
                "the Docker engine remaps user namespaces: user ids in containers are not those "
                "of the host",
                hint="Run the engine without userns-remap, or use a second engine without it "
                "(sandbox.engine), see docs/deployment.md.",
            )


@final
@dataclass(frozen=True, slots=True)
class ContainerState:
    """How a container stands.

    Attributes:
        running: Whether its first process lives.
        exit_code: Of that process, 128 + n after signal n; meaningless while running.
        oom_killed: Whether the kernel killed one of its processes for memory.
        error: The engine's reason when it could not be started.
    """

    running: bool
    exit_code: int
    oom_killed: bool
    error: str


@final
@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """One line of a container listing."""

    name: str
    running: bool
    labels: Mapping[str, str] = field(default_factory=dict)
