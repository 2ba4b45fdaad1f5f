"""Tries every limit of its own container and reports over the socket which of them held.

Started by the controller under the policy of a member, with the numbers of the limits as a
JSON argument. Begins when the controller says so, which is when it has applied what is its own to
apply. Ends by waiting to be killed, which proves the last limit; or, when told to, by taking memory
until it is killed for that.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from stratlab_runner.canary_calls import (
    TMP,
    Finding,
    Limits,
    file_locks,
    network,
    process_status,
    seccomp_mode,
    seccomp_rows,
    sockets,
)

_SOCKET = "/run/stratlab/link.sock"
_MIB = 1 << 20

_PR_GET_NO_NEW_PRIVS = 39
_HOG = b"m"


def main() -> None:
    """Run every probe, send the findings and wait for the end."""
    limits: Limits = json.loads(sys.argv[1])
    link = socket.socket(socket.AF_UNIX)
    link.connect(_SOCKET)
    if link.recv(1) == _HOG:
        _take_memory(int(limits["memory_mib"]))
        return  # alive, so nothing has limited it
    findings = []
    for name, probe in _PROBES.items():
        try:
            proven, detail = probe(limits)
        except Exception as error:  # noqa: BLE001 - a probe that breaks has proven nothing
            proven, detail = False, f"{type(error).__name__}: {error}"
        findings.append({"limit": name, "proven": proven, "detail": detail})
    link.sendall(json.dumps(findings).encode() + b"\n")
    while True:
        signal.pause()


def _root_read_only(_: Limits) -> Finding:
    writable = []
    for target, options in _mounts().items():
        if target == str(TMP):
            continue
        read_only = "ro" in options
        # The kernel's own file systems stay writable for root, which nobody here is.
        if not read_only and (
            not target.startswith(("/proc", "/dev", "/sys")) or _may_make_files(Path(target))
        ):
            writable.append(target)
    return not writable, f"writable mounts: {', '.join(writable) or 'none but /tmp'}"


def _mounts() -> dict[str, set[str]]:
    # gVisor tells the options of a mount here, and not in statvfs.
    rows = [line.split() for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    return {row[4]: set(row[5].split(",")) for row in rows}


def _may_make_files(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.W_OK)


def _kernel_settings(_: Limits) -> Finding:
    for name in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/power/state"):
        try:
            os.close(os.open(name, os.O_WRONLY))
        except OSError:
            continue
        return False, f"{name} can be written"
    return True, "/proc/sys and /sys cannot be written"


def _identity(limits: Limits) -> Finding:
    status = process_status()
    uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
    groups = set(status["Groups"].split())
    expected = str(int(limits["uid"]))
    return (
        uids == gids == {expected} and groups <= {expected} and expected != "0",
        f"uid {'/'.join(sorted(uids))}, gid {'/'.join(sorted(gids))}",
    )


def _capabilities(_: Limits) -> Finding:
    status = process_status()
    held = {key: status[key] for key in status if key.startswith("Cap") and int(status[key], 16)}
    return not held, f"held: {held or 'none'}"


def _no_new_privileges(_: Limits) -> Finding:
    value = ctypes.CDLL(None).prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
    return value == 1, f"no_new_privs {value}"


def _tmp_flags(limits: Limits) -> Finding:
    # gVisor does not tell the last two; without privileges to gain and devices to make they
    # change nothing there.
    wanted = {"noexec"} if limits["sentry"] else {"noexec", "nosuid", "nodev"}
    options = _mounts().get(str(TMP), set())
    executed = _can_execute(TMP / "program")
    return wanted <= options and not executed, f"{', '.join(sorted(wanted))}; executed: {executed}"


def _can_execute(path: Path) -> bool:
    path.write_text(f"#!{sys.executable}\n")
    path.chmod(0o700)
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(path, [str(path)])  # noqa: S606 - whether that works is the question
        except PermissionError:
            os._exit(1)
        except OSError:
            os._exit(0)
    executed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    path.unlink()
    return executed


def _tmp_size(limits: Limits) -> Finding:
    size = int(limits["tmp_mib"]) * _MIB
    written, index, block = 0, 0, b"x" * _MIB
    files: list[Path] = []
    try:
        while written <= size + 4 * _MIB:
            # One file may not grow without bound either, so several are needed.
            files.append(TMP / f"fill{index}")
            index += 1
            with files[-1].open("wb", buffering=0) as file:
                for _ in range(4):
                    written += file.write(block)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EFBIG}
        return full and written <= size, f"full after {written // _MIB} MiB"
    finally:
        for file_path in files:
            file_path.unlink(missing_ok=True)
    return False, f"{written // _MIB} MiB were written"


def _tmp_inodes(limits: Limits) -> Finding:
    if limits["sentry"]:
        return True, "no effect in the Sentry; held: files are its memory, see the limit memory"
    most = int(limits["tmp_inodes"])
    made = 0
    try:
        while made <= most:
            os.close(os.open(TMP / f"inode{made}", os.O_CREAT | os.O_WRONLY, 0o600))
            made += 1
    except OSError as error:
        return error.errno == errno.ENOSPC, f"full after {made} files"
    finally:
        for index in range(made):
            (TMP / f"inode{index}").unlink()
    return False, f"{made} files were made"


def _pids(limits: Limits) -> Finding:
    most = int(limits["pids"])
    children: list[int] = []
    try:
        while len(children) < 4 * most:
            pid = os.fork()
            if pid == 0:
                while True:
                    signal.pause()
            children.append(pid)
    except OSError as error:
        return (
            error.errno == errno.EAGAIN and len(children) < most,
            f"refused after {len(children) + 1} processes",
        )
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
    return False, f"{len(children) + 1} processes were started"


def _rlimits(limits: Limits) -> Finding:
    wanted = {
        "nproc": (resource.RLIMIT_NPROC, int(limits["nproc"])),
        "nofile": (resource.RLIMIT_NOFILE, int(limits["nofile"])),
        "fsize": (resource.RLIMIT_FSIZE, int(limits["tmp_mib"]) * _MIB),
        "core": (resource.RLIMIT_CORE, 0),
    }
    wrong = [
        name
        for name, (number, value) in wanted.items()
        if resource.getrlimit(number) != (value, value)
    ]
    return not wrong, f"not as asked: {', '.join(wrong) or 'none'}"


def _address_space(_: Limits) -> Finding:
    pid = os.fork()
    if pid == 0:
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
        most = pages * mmap.PAGESIZE + 64 * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            bytearray(256 * _MIB)
        except MemoryError:
            os._exit(0)
        os._exit(1)
    held = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return held, f"RLIMIT_AS held: {held}"


def _take_memory(most: int) -> None:
    held: list[bytearray] = []
    while len(held) * 8 < 2 * most:
        held.append(bytearray(b"x") * (8 * _MIB))


def _memory(limits: Limits) -> Finding:
    most = int(limits["memory_mib"])
    if limits["sentry"]:
        return False, "is not proven from inside"
    block = 8
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        held = []
        while True:
            area = mmap.mmap(-1, block * _MIB)
            for offset in range(0, block * _MIB, mmap.PAGESIZE):
                area[offset] = 1
            held.append(area)
            os.write(write_end, b"x")
            if len(held) * block > 2 * most:
                os._exit(0)
    os.close(write_end)
    _, status = os.waitpid(pid, 0)
    touched = len(os.read(read_end, 1 << 16)) * block
    os.close(read_end)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return killed and touched <= most, f"ended after {touched} MiB, killed: {killed}"


def _cpu(limits: Limits) -> Finding:
    # Two processes that burn one second each: RLIMIT_CPU ends them, and with a quota of one
    # core that takes two seconds.
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = [_burn(1) for _ in range(2)]
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    elapsed = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ended = all(
        os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}
        for status in statuses
    )
    return (
        ended and (limits["sentry"] or used <= 1.2 * elapsed * limits["cpus"] + 0.2),
        f"{used:.2f} s of CPU in {elapsed:.2f} s, ended by RLIMIT_CPU: {ended}",
    )


def _burn(seconds: int) -> int:
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        give_up = time.monotonic() + 50
        while time.monotonic() < give_up:
            pass
        os._exit(0)
    return pid


def _environment(limits: Limits) -> Finding:
    unknown = sorted(set(os.environ) - set(limits["environment"]))  # noqa: TID251 - what is probed
    return not unknown, f"unexpected: {', '.join(unknown) or 'none'}"


def _no_shared_memory(_: Limits) -> Finding:
    # Message queues can also be made as files, past the refused mq_open.
    usable = [
        str(path)
        for path in (Path("/dev/shm"), Path("/dev/mqueue"))  # noqa: S108 - what is probed
        if _may_make_files(path) and not os.statvfs(path).f_flag & os.ST_RDONLY
    ]
    return not usable, f"usable: {', '.join(usable) or 'none'}"


_PROBES: Mapping[str, Callable[[Limits], Finding]] = {
    "network": network,
    "root_read_only": _root_read_only,
    "kernel_settings": _kernel_settings,
    "identity": _identity,
    "capabilities": _capabilities,
    "no_new_privileges": _no_new_privileges,
    "seccomp_mode": seccomp_mode,
    "seccomp_rows": seccomp_rows,
    "sockets": sockets,
    "file_locks": file_locks,
    "tmp_flags": _tmp_flags,
    "tmp_size": _tmp_size,
    "tmp_inodes": _tmp_inodes,
    "rlimits": _rlimits,
    "environment": _environment,
    "shared_memory": _no_shared_memory,
    "pids": _pids,
    "address_space": _address_space,
    "memory": _memory,
    "cpu": _cpu,
}

if __name__ == "__main__":
    main()
