"""What `stratlab doctor` says about engine, image, profile and host."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from stratlab.domain.errors import SandboxNotReadyError, StratlabError
from stratlab.sandbox.canary import REMEDIES, CanaryReport
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.engine_facts import EngineInfo
from stratlab.sandbox.known_weaknesses import REVIEWED, open_weaknesses
from stratlab.sandbox.policy import RUNTIMES
from stratlab.sandbox.scheduler import DockerSandbox
from stratlab.sandbox.seccomp import load_seccomp_profile
from stratlab.settings import SandboxSettings

_MIN_FREE_BYTES: Final = 2 << 30
_MIN_FREE_FILES: Final = 1000
_GOOD_STORAGE: Final = frozenset({"overlay2", "fuse-overlayfs", "btrfs", "zfs", "overlayfs"})


@final
@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of `stratlab doctor`.

    Attributes:
        name: What was looked at.
        ok: Whether it is as it should be.
        detail: What was seen.
        remedy: What to do, "" when ok.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def diagnose(settings: SandboxSettings, home: Path) -> list[Diagnosis]:
    """Look at everything that the sandbox rests on, without starting a container; never raises.

    Blocks for as long as the engine takes to answer.
    """
    lines = [_disk(home), _profile()]
    try:
        engine = DockerEngine(settings.engine, settings.engine_seconds)
        try:
            lines += _engine(engine.info(), settings)
            lines.append(_image(engine.resolve_image(settings.image), settings.image))
        finally:
            engine.close()
    except SandboxNotReadyError as error:
        lines.append(_failed("image", error))
    except StratlabError as error:
        lines.append(_failed("engine", error))
    return lines


async def diagnose_runtimes(sandbox: DockerSandbox, runtimes: Sequence[str]) -> list[Diagnosis]:
    """Prove every limit under each runtime; returns a line for each limit, never raises."""
    lines: list[Diagnosis] = []
    for runtime in runtimes:
        title = f"limits under {runtime}"
        try:
            report = (await sandbox.prove(runtime)).report
        except StratlabError as error:
            detail = f"nothing is run under it: {error.message}"
            lines.append(Diagnosis(title, ok=False, detail=detail, remedy=error.hint))
            continue
        detail = f"all {len(report.findings)} are proven, in {report.seconds:.1f} s"
        lines += [Diagnosis(title, ok=True, detail=detail), *describe_limits(report)]
    return lines


def describe_limits(report: CanaryReport) -> list[Diagnosis]:
    """Return one line for each limit that the canary tried."""
    return [
        Diagnosis(
            f"limit {finding.limit} ({report.runtime})",
            finding.proven,
            finding.detail,
            "" if finding.proven else REMEDIES[finding.limit],
        )
        for finding in report.findings
    ]


def _engine(info: EngineInfo, settings: SandboxSettings) -> Iterator[Diagnosis]:
    components = ", ".join(
        f"{name} {version}" for name, version in info.components.items() if name != "Engine"
    )
    yield Diagnosis(
        "engine", ok=True, detail=f"{info.version} ({components}), kernel {info.kernel}"
    )
    yield from _old_components(info)
    yield Diagnosis(
        "cgroups",
        ok=info.cgroup_driver != "none",
        detail=f"v{info.cgroup_version}, driver {info.cgroup_driver}",
        remedy="" if info.cgroup_driver != "none" else "Enable cgroups for the engine.",
    )
    good = info.storage_driver in _GOOD_STORAGE
    yield Diagnosis(
        "storage driver",
        ok=good,
        detail=info.storage_driver,
        remedy="" if good else "Use overlay2: each container would copy the whole image.",
    )
    yield _user_ids(info)
    seccomp = any("seccomp" in option for option in info.security_options)
    yield Diagnosis(
        "seccomp support",
        ok=seccomp,
        detail=", ".join(info.security_options) or "none",
        remedy="" if seccomp else "Use a kernel and engine with seccomp.",
    )
    usable = settings.runtime in info.runtimes and settings.runtime in RUNTIMES
    yield Diagnosis(
        "runtime",
        ok=usable,
        detail=f"{settings.runtime} of {', '.join(info.runtimes)}",
        remedy="" if usable else "Set sandbox.runtime to runc, or run `make gvisor`.",
    )
    if others := sorted(RUNTIMES.intersection(info.runtimes) - {settings.runtime}):
        asked = " ".join(f"--runtime {name}" for name in others)
        detail = f"{', '.join(others)}; prove them with `stratlab doctor {asked}`"
        yield Diagnosis("other runtimes", ok=True, detail=detail)


def _user_ids(info: EngineInfo) -> Diagnosis:
    try:
        info.require_own_user_ids()
    except SandboxNotReadyError as error:
        return _failed("user ids", error)
    return Diagnosis("user ids", ok=True, detail="a container's user ids are the host's")


def _old_components(info: EngineInfo) -> Iterator[Diagnosis]:
    # A distribution may have patched the version that it ships, so this informs only.
    for weakness, version in open_weaknesses({"Engine": info.version, **info.components}):
        wanted = " or ".join(weakness.fixed)
        yield Diagnosis(
            f"{weakness.component} {weakness.name}",
            ok=True,
            detail=f"{version} is older than {wanted} ({weakness.effect}); open unless your "
            f"distribution has fixed it in this version; table of {REVIEWED}",
            remedy=f"Install {weakness.component} {wanted}, or your distribution's updates "
            "(for Debian see https://security-tracker.debian.org/tracker/" + weakness.name + ").",
        )


def _image(image_id: str, tag: str) -> Diagnosis:
    return Diagnosis("image", ok=True, detail=f"{tag} is {image_id}")


def _profile() -> Diagnosis:
    try:
        profile = load_seccomp_profile()
    except StratlabError as error:
        return _failed("seccomp profile", error)
    return Diagnosis("seccomp profile", ok=True, detail=f"sha256 {profile.digest}")


def _disk(home: Path) -> Diagnosis:
    try:
        existing = next(path for path in (home, *home.parents) if path.exists())
        free, inodes = shutil.disk_usage(existing).free, os.statvfs(existing)
    except OSError as error:
        return Diagnosis(
            "disk space",
            ok=False,
            detail=f"{home}: {error.strerror}",
            remedy="Choose another home directory with --home or STRATLAB_HOME.",
        )
    if inodes.f_files and inodes.f_favail < _MIN_FREE_FILES:
        return Diagnosis(
            "disk space",
            ok=False,
            detail=f"room for {inodes.f_favail} more files only at {existing}",
            remedy="Remove some files: the file system has no inodes left.",
        )
    return Diagnosis(
        "disk space",
        ok=free >= _MIN_FREE_BYTES,
        detail=f"{free / 1e9:.1f} GB free at {existing}",
        remedy="" if free >= _MIN_FREE_BYTES else "Free some space: 2 GiB are needed.",
    )


def _failed(name: str, error: StratlabError) -> Diagnosis:
    return Diagnosis(name, ok=False, detail=error.message, remedy=error.hint)
