"""The probes of the canary that are about system calls, sockets and locks."""

import ctypes
import errno
import fcntl
import os
import platform
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TMP: Final = Path("/tmp")  # noqa: S108 - the mount under test

Finding = tuple[bool, str]
"""Whether a limit is proven, and what was seen."""

Limits = Mapping[str, Any]
"""What the controller asked for, by name."""

# Arguments are such that the kernel alone would not answer EPERM.
_DENIED: Mapping[str, tuple[Mapping[str, int], tuple[int, ...]]] = {
    "ptrace": ({"x86_64": 101, "aarch64": 117}, (0x7FFF, 0, 0, 0)),
    "unshare": ({"x86_64": 272, "aarch64": 97}, (0,)),
    "setuid": ({"x86_64": 105, "aarch64": 146}, (os.getuid(),)),
    "keyctl": ({"x86_64": 250, "aarch64": 219}, (0x7FFF, 0, 0, 0, 0)),
    "add_key": ({"x86_64": 248, "aarch64": 217}, (0, 0, 0, 0, 0)),
    "io_uring_setup": ({"x86_64": 425, "aarch64": 425}, (0, 0)),
    "memfd_secret": ({"x86_64": 447, "aarch64": 447}, (0x7FFF,)),
    "process_vm_readv": ({"x86_64": 310, "aarch64": 270}, (0, 0, 0, 0, 0, 1)),
    "kcmp": ({"x86_64": 312, "aarch64": 272}, (0, 0, 0x7FFF, 0, 0)),
    "userfaultfd": ({"x86_64": 323, "aarch64": 282}, (0x7FFF,)),
    "perf_event_open": ({"x86_64": 298, "aarch64": 241}, (0, 0, -1, -1, 0)),
    "name_to_handle_at": ({"x86_64": 303, "aarch64": 264}, (-1, 0, 0, 0, 0)),
    "landlock_create_ruleset": ({"x86_64": 444, "aarch64": 444}, (0, 0, 0x7FFF)),
    "shmget": ({"x86_64": 29, "aarch64": 194}, (0, 4096, 0)),
    "mq_open": ({"x86_64": 240, "aarch64": 180}, (0, 0, 0, 0)),
    "mknodat": ({"x86_64": 259, "aarch64": 33}, (-1, 0, 0, 0)),
    "fchownat": ({"x86_64": 260, "aarch64": 54}, (-1, 0, 0, 0, 0)),
}
_CLONE3 = 435
_CLONE_NEWUSER = 0x10000000
_CLONE3_BYTES = 64
_FAMILIES = {"inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "vsock": 40}


def process_status() -> dict[str, str]:
    """Return what the kernel tells of this process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def network(_: Limits) -> Finding:
    """Look for interfaces and routes beyond loopback."""
    devices = [
        line.partition(":")[0].strip()
        for line in Path("/proc/net/dev").read_text("utf-8").splitlines()[2:]
    ]
    routes = Path("/proc/net/route").read_text("utf-8").splitlines()[1:]
    return (
        set(devices) <= {"lo"} and not routes,
        f"interfaces: {', '.join(devices) or 'none'}; routes: {len(routes)}",
    )


def seccomp_mode(limits: Limits) -> Finding:
    """Look for a loaded filter."""
    value = process_status()["Seccomp"]
    if limits["sentry"] and value == "0":
        return True, "no effect outside the Sentry; held: the Sentry answers every call itself"
    return value == "2", f"mode {value}"


def _without_filter(limits: Limits) -> bool:
    # gVisor without --oci-seccomp: refused calls reach a kernel in user space, and no further.
    return bool(limits["sentry"]) and process_status()["Seccomp"] == "0"


def seccomp_rows(limits: Limits) -> Finding:
    """Try refused calls, and that a thread can be started."""
    machine = platform.machine()
    libc = ctypes.CDLL(None, use_errno=True)
    wrong = []
    for name, (numbers, arguments) in _DENIED.items():
        ctypes.set_errno(0)
        answer = libc.syscall(numbers[machine], *arguments)
        if answer != -1 or ctypes.get_errno() != errno.EPERM:
            wrong.append(name)
    if not _clone3_is_harmless(libc):
        wrong.append("clone3")
    if not _starts_thread():
        return False, "no thread can be started"
    if _without_filter(limits):
        return "clone3" not in wrong, (
            f"no effect outside the Sentry for {len(wrong)} of {len(_DENIED) + 1}; held: the "
            "Sentry's own kernel, without capabilities"
        )
    return not wrong, f"not refused: {', '.join(wrong) or 'none'} of {len(_DENIED) + 1}"


def _clone3_is_harmless(libc: ctypes.CDLL) -> bool:
    # It must look absent, so that the C library starts threads by clone, whose flags are checked.
    arguments = (ctypes.c_uint64 * (_CLONE3_BYTES // 8))(_CLONE_NEWUSER)
    ctypes.set_errno(0)
    answer = libc.syscall(_CLONE3, arguments, _CLONE3_BYTES)
    if answer == 0:
        os._exit(0)
    return bool(answer == -1 and ctypes.get_errno() == errno.ENOSYS)


def _starts_thread() -> bool:
    try:
        thread = threading.Thread(target=int)
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def sockets(limits: Limits) -> Finding:
    """Try socket families, and to bind."""
    made = []
    for name, family in _FAMILIES.items():
        try:
            socket.socket(family, socket.SOCK_DGRAM).close()
        except PermissionError:
            continue
        except OSError as error:
            made.append(f"{name} ({error.strerror})")
        else:
            made.append(name)
    with socket.socket(socket.AF_UNIX) as unix:
        try:
            unix.bind("\0canary")
        except PermissionError:
            pass
        else:
            made.append("bind")
    if made and _without_filter(limits):
        closed, detail = network(limits)
        return closed, f"no effect outside the Sentry; held: its network has {detail}"
    return not made, f"not refused: {', '.join(made) or 'none'}"


def file_locks(limits: Limits) -> Finding:
    """Try to lock a file."""
    if _without_filter(limits):
        return True, "no effect outside the Sentry; held: locks are kept inside it"
    with (TMP / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError:
            return True, "refused"
        finally:
            (TMP / "lock").unlink()
    return False, "a file can be locked"
