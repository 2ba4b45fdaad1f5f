"""Who we are: the installation whose containers are ours, and the controller process."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from stratlab.domain.errors import StoreError

_INSTALLATION_FILE: Final = "installation-id"
_SOCKET_ROOT_PREFIX: Final = "stratlab-"
_START_TIME_FIELD: Final = 19  # of /proc/PID/stat, counted after the program's name
_DEAD_STATES: Final = frozenset("ZX")


def installation_id(home: Path) -> str:
    """Return the id of a home directory (16 hex digits), made at the first call.

    Raises:
        StoreError: The home directory cannot be written.
    """
    path = home / _INSTALLATION_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f"{_INSTALLATION_FILE}.{secrets.token_hex(4)}"
        draft.write_text(secrets.token_hex(8), "ascii")
        # A link either makes the file with all its content or finds that of another process.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        return path.read_text("ascii").strip()
    except OSError as error:
        raise StoreError(f"the home directory {str(home)!r} cannot be written: {error}") from error


def member_prefix(installation: str) -> str:
    """Return what the names of all members of an installation begin with."""
    return f"stratlab-{installation[:8]}-"


def controller_id() -> str:
    """Return the identity of this process; no later process of any host has the same."""
    return _identity_of(os.getpid(), _start_time(os.getpid()) or "0")


def may_be_alive(controller: str) -> bool:
    """Tell whether the controller with this identity may still run.

    True also where that cannot be seen from here (another machine, another container); the
    deadlines of its containers bound such cases.
    """
    own = controller_id().split(".")
    parts = controller.split(".")
    if len(parts) != len(own):
        return False
    machine, boot, namespace, pid, start = parts
    if machine != own[0]:
        return True
    if boot != own[1]:
        return False
    if namespace != own[2]:
        return True
    return pid.isascii() and pid.isdecimal() and _start_time(int(pid)) == start


def socket_root(installation: str, parent: Path | None = None) -> Path:
    """Return the directory below which this controller keeps its sockets.

    Args:
        installation: Id of the home directory.
        parent: Where it lies; None for the directory of temporary files.
    """
    pid = os.getpid()
    name = f"{_SOCKET_ROOT_PREFIX}{installation[:8]}-{pid}-{_start_time(pid) or 0}"
    return (parent or _temporary()) / name


def abandoned_socket_roots(installation: str, parent: Path | None = None) -> tuple[Path, ...]:
    """Return the socket directories that dead controllers of this installation left.

    Args:
        installation: Id of the home directory.
        parent: Where they lie; None for the directory of temporary files.
    """
    prefix = f"{_SOCKET_ROOT_PREFIX}{installation[:8]}-"
    abandoned = []
    for path in sorted((parent or _temporary()).glob(f"{prefix}*")):
        # The start time too: in a container each controller has the same process id.
        pid, _, start = path.name.removeprefix(prefix).partition("-")
        if pid.isascii() and pid.isdecimal() and _start_time(int(pid)) != start:
            abandoned.append(path)
    return tuple(abandoned)


def _temporary() -> Path:
    return Path(tempfile.gettempdir()).resolve()


def _identity_of(pid: int, start: str) -> str:
    machine = _read("/etc/machine-id") or os.uname().nodename.replace(".", "-")
    boot = _read("/proc/sys/kernel/random/boot_id").replace("-", "")
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{machine[:12]}.{boot[:12]}.{namespace}.{pid}.{start}"


def _start_time(pid: int) -> str | None:
    # The program's name may hold spaces and brackets, hence the last bracket.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) <= _START_TIME_FIELD or fields[0] in _DEAD_STATES:
        return None
    return fields[_START_TIME_FIELD]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""
