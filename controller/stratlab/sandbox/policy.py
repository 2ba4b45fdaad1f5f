"""The flags of every container, as pure functions from limits to the engine's create body."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, final

from stratlab.domain.errors import UnsafeConfigurationError
from stratlab.domain.trial import Limits
from stratlab.sandbox.host_paths import SAME_PATHS, HostPaths
from stratlab.sandbox.labels import ContainerLabels
from stratlab.sandbox.seccomp import SeccompProfile

RUNTIMES: Final = frozenset({"runc", "runsc", "runsc-plain"})
"""Runtimes that the policy was written for; ``docker/gvisor.sh`` registers the last two."""

SOCKET_TARGET: Final = "/run/stratlab"
"""Where a member finds the directory of its socket."""

DATA_TARGET: Final = "/data"
"""Where a member finds its tier of the data."""

MIN_MEMORY_MIB: Final = 256
MIN_PIDS: Final = 32
MIN_UID: Final = 10_000
MAX_UID: Final = 2**31 - 1
TMP_INODES: Final = 4096
NOFILE: Final = 1024

ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HOME": "/tmp",  # noqa: S108 - the container's own tmpfs
        "TMPDIR": "/tmp",  # noqa: S108 - the same
        "ZIPLINE_ROOT": "/tmp/zipline",  # noqa: S108 - the same
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "BLOSC_NTHREADS": "1",
    }
)
"""All that a member's environment holds beside what the image sets: it is readable inside."""

_MIB: Final = 1 << 20
_NPROC_ROOM: Final = 8
_SENTRY_TASKS: Final = 512
_TASKS_PER_TASK: Final = 8
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


@final
@dataclass(frozen=True, slots=True)
class HostTraits:
    """What the policy must know of the host.

    Attributes:
        cgroup_version: 1 or 2.
        cgroup_driver: ``cgroupfs`` or ``systemd``.
        cgroup_parent: Group below which containers are put, "" for the engine's default.
        cpus: Cores.
        paths: How it sees our directories.
    """

    cgroup_version: int = 1
    cgroup_driver: str = "cgroupfs"
    cgroup_parent: str = ""
    cpus: int = 1
    paths: HostPaths = SAME_PATHS


@final
@dataclass(frozen=True, slots=True)
class MemberRequest:
    """One member as it is to be created.

    Attributes:
        image_id: ``sha256:...``, never a tag.
        runtime: One of :data:`RUNTIMES`.
        uid: User and group id inside.
        limits: What it may use.
        socket_directory: Host directory of its socket.
        data_directory: Host directory of its tier; None for a probe that reads no data.
        labels: See there.
        command: Replaces the image's entry point; empty for the runner.
    """

    image_id: str
    runtime: str
    uid: int
    limits: Limits
    socket_directory: Path
    data_directory: Path | None
    labels: ContainerLabels
    command: Sequence[str] = field(default=())


def member_config(
    request: MemberRequest, host: HostTraits, profile: SeccompProfile
) -> dict[str, Any]:
    """Return the create body of a member.

    Raises:
        UnsafeConfigurationError: A setting would weaken the isolation, or cannot hold.
    """
    _check_member(request, host)
    limits = request.limits
    ulimits = {
        "nofile": NOFILE,
        "nproc": process_limit(request.runtime, limits.pids),
        "fsize": limits.tmp_mib * _MIB,
        "core": 0,
        "msgqueue": 0,
        "memlock": 64 * 1024,
    }
    mounts = [_mount(host, request.socket_directory, SOCKET_TARGET, read_only=True)]
    if request.data_directory is not None:
        mounts.append(_mount(host, request.data_directory, DATA_TARGET, read_only=True))
    config = _common_config(request.image_id, request.labels, host)
    config["User"] = f"{request.uid}:{request.uid}"
    if request.command:
        config["Entrypoint"] = list(request.command)
        config["Cmd"] = []
    gvisor = is_gvisor(request.runtime)
    seccomp = profile.text_for_sentry if gvisor else profile.text
    config["HostConfig"] |= {
        "Runtime": request.runtime,
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp}"],
        "Memory": limits.memory_mib * _MIB,
        "MemorySwap": limits.memory_mib * _MIB,
        "NanoCpus": round(limits.cpus * 1e9),
        "PidsLimit": host_task_limit(limits.pids) if gvisor else limits.pids,
        "Ulimits": [
            {"Name": name, "Soft": value, "Hard": value} for name, value in sorted(ulimits.items())
        ],
        "Tmpfs": {
            "/tmp": (  # noqa: S108 - a mount point inside the container
                f"rw,noexec,nosuid,nodev,size={limits.tmp_mib}m,nr_inodes={TMP_INODES},"
                f"mode=0700,uid={request.uid},gid={request.uid}"
            ),
            # Hides the writable mqueue mount that the engine adds to every container.
            "/dev/mqueue": "ro,noexec,nosuid,nodev,size=4k,nr_inodes=1",
        },
        "Mounts": mounts,
        "LogConfig": {"Type": "none", "Config": {}},
    }
    if host.cgroup_version == 1:
        # v2 has no such knob; there Memory == MemorySwap already means no swap.
        config["HostConfig"]["MemorySwappiness"] = 0
    return config


def process_limit(runtime: str, pids: int) -> int:
    """Return RLIMIT_NPROC of a member that may have ``pids`` processes and threads.

    Under gVisor it is what holds, for there the pids cgroup may not. Under runc the cgroup
    holds; the limit counts all processes of a user id on the host, and another installation
    may lease the same id, so it leaves room and is only a second wall.
    """
    return pids if is_gvisor(runtime) else _NPROC_ROOM * pids


def is_gvisor(runtime: str) -> bool:
    """Return whether members of ``runtime`` run on a kernel of their own in user space."""
    return runtime.startswith("runsc")


def host_task_limit(pids: int) -> int:
    """Return how many tasks of the host a gVisor member with ``pids`` processes may have.

    gVisor itself has tasks, and more than one for each of the strategy's; RLIMIT_NPROC inside is
    the exact limit, and this one bounds what an escape from the kernel in user space could start.
    """
    return _SENTRY_TASKS + _TASKS_PER_TASK * pids


def job_config(
    *,
    image_id: str,
    user: str,
    module: str,
    read: Mapping[str, Path],
    write: Mapping[str, Path],
    labels: ContainerLabels,
    host: HostTraits,
) -> dict[str, Any]:
    """Return the create body of a trusted job: our own module, nothing generated.

    It keeps the engine's default seccomp profile, for SQLite needs the file locks that ours
    refuses, and may write below ``write``.

    Args:
        image_id: ``sha256:...``.
        user: ``uid:gid`` that owns what is written.
        module: Module of ``stratlab_runner``, started with ``python -P -m``.
        read: Container directory -> host directory, mounted read-only.
        write: Container directory -> host directory, mounted writable.
        labels: See there.
        host: See there.

    Raises:
        UnsafeConfigurationError: The module is not ours or a path is not absolute.
    """
    _require(
        re.fullmatch(r"stratlab_runner(\.[a-z_][a-z0-9_]*)+", module) is not None,
        f"{module!r} is not a module of the runner",
    )
    _require(_IMAGE_ID.fullmatch(image_id) is not None, f"{image_id!r} is no image id")
    config = _common_config(image_id, labels, host)
    config["User"] = user
    config["Entrypoint"] = ["python", "-P", "-m", module]
    config["Cmd"] = []
    config["HostConfig"] |= {
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 2048 * _MIB,
        "MemorySwap": 2048 * _MIB,
        "PidsLimit": 256,
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777"},  # noqa: S108 - inside
        "Mounts": [
            *(_mount(host, path, target, read_only=True) for target, path in sorted(read.items())),
            *(
                _mount(host, path, target, read_only=False)
                for target, path in sorted(write.items())
            ),
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
    }
    return config


def _common_config(image_id: str, labels: ContainerLabels, host: HostTraits) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Image": image_id,
        "Hostname": "member",
        "Domainname": "",
        "Env": [f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())],
        "Labels": labels.as_mapping(),
        "WorkingDir": "/",
        "NetworkDisabled": True,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "OpenStdin": False,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "Privileged": False,
            "CapDrop": ["ALL"],
            "IpcMode": "none",
            "CgroupnsMode": "private",
            "OomScoreAdj": 1000,
            "OomKillDisable": False,
            "Init": False,
            "AutoRemove": False,
            "PublishAllPorts": False,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        },
    }
    if host.cgroup_parent:
        _check_cgroup_parent(host)
        config["HostConfig"]["CgroupParent"] = host.cgroup_parent
    return config


def _mount(host: HostTraits, source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    _require(
        source.is_absolute() and ".." not in source.parts and source != Path("/"),
        f"the mount source {str(source)!r} is not an absolute path below /",
    )
    # Not recursive: what somebody mounts below the directory must not appear inside.
    return {
        "Type": "bind",
        "Source": str(host.paths.of_host(source)),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }


def check_limits(limits: Limits, host: HostTraits) -> None:
    """Check the limits of trials, also where a container that was made before will serve them.

    Raises:
        UnsafeConfigurationError: One of them is none, or more than the host has.
    """
    checks = (
        (
            limits.memory_mib >= MIN_MEMORY_MIB,
            f"memory_mib={limits.memory_mib} is below {MIN_MEMORY_MIB}",
        ),
        (
            0 < limits.cpus <= host.cpus,
            f"cpus={limits.cpus} is not above 0 and at most the host's {host.cpus}",
        ),
        (MIN_PIDS <= limits.pids <= TMP_INODES, f"pids={limits.pids} is not {MIN_PIDS}..4096"),
        (
            1 <= limits.tmp_mib <= limits.memory_mib,
            f"tmp_mib={limits.tmp_mib} is not 1..memory_mib, in which it counts",
        ),
        (limits.cpu_seconds > 0, f"cpu_seconds={limits.cpu_seconds} is no deadline"),
        (limits.wall_seconds > 0, f"wall_seconds={limits.wall_seconds} is no deadline"),
        (limits.output_mib > 0, f"output_mib={limits.output_mib} is no limit"),
    )
    for holds, complaint in checks:
        _require(holds, complaint)


def _check_member(request: MemberRequest, host: HostTraits) -> None:
    checks = (
        (request.runtime in RUNTIMES, f"the runtime {request.runtime!r} is unknown"),
        (
            _IMAGE_ID.fullmatch(request.image_id) is not None,
            f"{request.image_id!r} is no image id; tags can change their meaning",
        ),
        (
            MIN_UID <= request.uid <= MAX_UID,
            f"the uid {request.uid} may belong to somebody on this host",
        ),
    )
    for holds, complaint in checks:
        _require(holds, complaint)
    check_limits(request.limits, host)


def _check_cgroup_parent(host: HostTraits) -> None:
    parent = host.cgroup_parent
    _require(
        re.fullmatch(r"/?[A-Za-z0-9_.@-]+(/[A-Za-z0-9_.@-]+)*", parent) is not None
        and ".." not in parent,
        f"the cgroup parent {parent!r} is no path",
    )
    if host.cgroup_driver == "systemd":
        _require(
            parent.endswith(".slice") and "/" not in parent,
            f"the cgroup parent {parent!r} must be a slice with the systemd driver",
        )


def _require(holds: bool, complaint: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise UnsafeConfigurationError(complaint)
