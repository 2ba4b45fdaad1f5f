"""Tries every limit of its own container and reports over the socket which of them held.

Started by the controller under the policy of a member, with the numbers of the limits as a
JSON argument. Begins when the controller says so, which is when it has applied what is its own to
apply. Ends by waiting to be killed, which proves the last limit; or, when told to, by taking memory
until it is killed for that.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SOCKET = "/run/stratlab/link.sock"
_TMP = Path("/tmp")  # noqa: S108 - the mount under test
_MIB = 1 << 20

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
_PR_GET_NO_NEW_PRIVS = 39
_HOG = b"m"
_FAMILIES = {"inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "vsock": 40}

Finding = tuple[bool, str]
Limits = Mapping[str, Any]


def main() -> None:
    """Run every probe, send the findings and wait for the end."""
    limits: Limits = json.loads(sys.argv[1])
    link = socket.socket(socket.AF_UNIX)
    link.connect(_SOCKET)
    if link.recv(1) == _HOG:
        _take_memory(int(limits["memory_mib"]))
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


def _status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _network(_: Limits) -> Finding:
    devices = [
        line.partition(":")[0].strip()
        for line in Path("/proc/net/dev").read_text("utf-8").splitlines()[2:]
    ]
    routes = Path("/proc/net/route").read_text("utf-8").splitlines()[1:]
    return (
        set(devices) <= {"lo"} and not routes,
        f"interfaces: {', '.join(devices) or 'none'}; routes: {len(routes)}",
    )


def _root_read_only(_: Limits) -> Finding:
    writable = []
    for target, options in _mounts().items():
        if target == str(_TMP):
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
    status = _status()
    uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
    groups = set(status["Groups"].split())
    expected = str(int(limits["uid"]))
    return (
        uids == gids == {expected} and groups <= {expected} and expected != "0",
        f"uid {'/'.join(sorted(uids))}, gid {'/'.join(sorted(gids))}",
    )


def _capabilities(_: Limits) -> Finding:
    status = _status()
    held = {key: status[key] for key in status if key.startswith("Cap") and int(status[key], 16)}
    return not held, f"held: {held or 'none'}"


def _no_new_privileges(_: Limits) -> Finding:
    value = ctypes.CDLL(None).prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
    return value == 1, f"no_new_privs {value}"


def _seccomp_mode(limits: Limits) -> Finding:
    value = _status()["Seccomp"]
    if limits["sentry"] and value == "0":
        return True, "no effect outside the Sentry; held: the Sentry answers every call itself"
    return value == "2", f"mode {value}"


def _without_filter(limits: Limits) -> bool:
    # gVisor without --oci-seccomp: refused calls reach a kernel in user space, and no further.
    return bool(limits["sentry"]) and _status()["Seccomp"] == "0"


def _seccomp_rows(limits: Limits) -> Finding:
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


def _sockets(limits: Limits) -> Finding:
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
        network, detail = _network(limits)
        return network, f"no effect outside the Sentry; held: its network has {detail}"
    return not made, f"not refused: {', '.join(made) or 'none'}"


def _file_locks(limits: Limits) -> Finding:
    if _without_filter(limits):
        return True, "no effect outside the Sentry; held: locks are kept inside it"
    with (_TMP / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError:
            return True, "refused"
        finally:
            (_TMP / "lock").unlink()
    return False, "a file can be locked"


def _tmp_flags(limits: Limits) -> Finding:
    # gVisor does not tell the last two; without privileges to gain and devices to make they
    # change nothing there.
    wanted = {"noexec"} if limits["sentry"] else {"noexec", "nosuid", "nodev"}
    options = _mounts().get(str(_TMP), set())
    executed = _can_execute(_TMP / "program")
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
            files.append(_TMP / f"fill{index}")
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
            os.close(os.open(_TMP / f"inode{made}", os.O_CREAT | os.O_WRONLY, 0o600))
            made += 1
    except OSError as error:
        return error.errno == errno.ENOSPC, f"full after {made} files"
    finally:
        for index in range(made):
            (_TMP / f"inode{index}").unlink()
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
    held = []
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
    "network": _network,
    "root_read_only": _root_read_only,
    "kernel_settings": _kernel_settings,
    "identity": _identity,
    "capabilities": _capabilities,
    "no_new_privileges": _no_new_privileges,
    "seccomp_mode": _seccomp_mode,
    "seccomp_rows": _seccomp_rows,
    "sockets": _sockets,
    "file_locks": _file_locks,
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
