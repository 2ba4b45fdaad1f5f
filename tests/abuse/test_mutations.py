"""Each flag of the policy and each rule of the profile taken away makes a case red.

The canary would not let such a controller run anything, so it is silenced here.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FULL_SIZE

from stratlab.abuse.bench import CaseReport
from stratlab.abuse.catalogue import CASES
from stratlab.abuse.system_calls import REFUSED
from stratlab.cli.abuse import open_bench
from stratlab.sandbox import containers
from stratlab.sandbox.canary import CanaryReport
from stratlab.sandbox.policy import member_config
from stratlab.settings import Settings

pytestmark = [pytest.mark.docker, pytest.mark.load]

Config = dict[str, Any]
CASE = {case.name: case for case in CASES}


def host(**changes: object) -> Callable[[Config], None]:
    return lambda config: config["HostConfig"].update(changes)


def without_ulimit(name: str) -> Callable[[Config], None]:
    def mutate(config: Config) -> None:
        rows = config["HostConfig"]["Ulimits"]
        config["HostConfig"]["Ulimits"] = [row for row in rows if row["Name"] != name]

    return mutate


def tmp_without(option: str) -> Callable[[Config], None]:
    def mutate(config: Config) -> None:
        mounts = config["HostConfig"]["Tmpfs"]
        options = mounts["/tmp"].split(",")  # noqa: S108 - inside the container
        kept = [each for each in options if not each.startswith(option)]
        if option == "noexec":
            kept.append("exec")
        mounts["/tmp"] = ",".join(kept)  # noqa: S108 - the same

    return mutate


def writable_mounts(config: Config) -> None:
    for mount in config["HostConfig"]["Mounts"]:
        mount["ReadOnly"] = False


def without_queue_cover(config: Config) -> None:
    del config["HostConfig"]["Tmpfs"]["/dev/mqueue"]


def with_engine_socket(config: Config) -> None:
    config["HostConfig"]["Mounts"].append(
        {
            "Type": "bind",
            "Source": "/var/run/docker.sock",
            "Target": "/run/docker.sock",
            "ReadOnly": True,
        }
    )


def security(*kept: str) -> Callable[[Config], None]:
    # Keeps the options that begin with one of these.
    def mutate(config: Config) -> None:
        options = config["HostConfig"]["SecurityOpt"]
        config["HostConfig"]["SecurityOpt"] = [
            option for option in options if option.startswith(kept)
        ] + (["seccomp=unconfined"] if "seccomp" not in kept else [])

    return mutate


def everything_allowed(config: Config) -> None:
    for index, option in enumerate(config["HostConfig"]["SecurityOpt"]):
        if option.startswith("seccomp="):
            profile = json.loads(option.partition("=")[2])
            profile["syscalls"].append({"names": sorted(REFUSED), "action": "SCMP_ACT_ALLOW"})
            config["HostConfig"]["SecurityOpt"][index] = f"seccomp={json.dumps(profile)}"


def arguments_ignored(config: Config) -> None:
    for index, option in enumerate(config["HostConfig"]["SecurityOpt"]):
        if option.startswith("seccomp="):
            profile = json.loads(option.partition("=")[2])
            for rule in profile["syscalls"]:
                rule.pop("args", None)
            config["HostConfig"]["SecurityOpt"][index] = f"seccomp={json.dumps(profile)}"


def as_root(config: Config) -> None:
    config["User"] = "0:0"


def with_variable(config: Config) -> None:
    config["Env"].append("API_KEY=planted")


def with_host_name(config: Config) -> None:
    config["Hostname"] = "somebody"


def with_network(config: Config) -> None:
    config["NetworkDisabled"] = False
    config["HostConfig"]["NetworkMode"] = "host"
    config["Hostname"] = ""


# Not in the list, for another wall gives the same picture inside: the ulimit for core files (the
# runner sets its own), swap (hosts without any), and what concerns the engine alone (labels,
# restart policy, log driver); `tests/sandbox/test_policy.py` asserts each of them.
# What is taken away -> how, the case that notices, and what it then complains of.
MUTATIONS: dict[str, tuple[Callable[[Config], None], str, str]] = {
    "network none": (with_network, "sockets-and-network", "interfaces"),
    "read-only root": (host(ReadonlyRootfs=False), "limits-as-asked", "mounts-read-only"),
    "dropped capabilities": (host(CapDrop=[]), "files-and-privileges", "capabilities"),
    "no-new-privileges": (security("seccomp"), "files-and-privileges", "no result"),
    "seccomp": (security("no-new"), "sockets-and-network", "socket-inet"),
    "user id": (as_root, "limits-as-asked", "no result"),
    "memory": (host(Memory=0, MemorySwap=0), "memory-hog", "SUCCEEDED"),
    "pids": (host(PidsLimit=0), "limits-as-asked", "processes"),
    "nproc": (without_ulimit("nproc"), "limits-as-asked", "limit-nproc"),
    "nofile": (without_ulimit("nofile"), "limits-as-asked", "limit-nofile"),
    "fsize": (without_ulimit("fsize"), "limits-as-asked", "limit-fsize"),
    "memlock": (without_ulimit("memlock"), "limits-as-asked", "limit-memlock"),
    "msgqueue": (without_ulimit("msgqueue"), "limits-as-asked", "message-queues"),
    "tmp size": (tmp_without("size"), "tmp-fill", "is none of"),
    "tmp inodes": (tmp_without("nr_inodes"), "inode-flood", "is none of"),
    "tmp noexec": (tmp_without("noexec"), "files-and-privileges", "run-from-tmp"),
    "ipc none": (host(IpcMode="private"), "files-and-privileges", "make-file-in-dev-shm"),
    "cover of message queues": (
        without_queue_cover,
        "files-and-privileges",
        "make-file-in-dev-mqueue",
    ),
    "read-only mounts": (writable_mounts, "limits-as-asked", "mounts-read-only"),
    "no other mount": (with_engine_socket, "sockets-and-network", "engine-run-docker.sock"),
    "oom score": (host(OomScoreAdj=0), "limits-as-asked", "killed-first"),
    "host name": (with_host_name, "limits-as-asked", "host-name"),
    "environment": (with_variable, "other-processes-and-secrets", "environment-beyond"),
    "arguments of calls": (arguments_ignored, "system-calls-narrowed", "clone-new-user"),
}
CI_SELECTION = ("dropped capabilities", "ipc none", "read-only root")


@contextmanager
def mutated(
    mutate: Callable[[Config], None], home: Path, built: Path, case: str
) -> Iterator[CaseReport]:
    def weakened(*arguments: Any) -> Config:
        config = member_config(*arguments)
        mutate(config)
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "member_config", weakened)
        patch.setattr(CanaryReport, "require_all", lambda self: None)
        home.chmod(0o700)
        with open_bench(Settings(home=home), "runc", built) as bench:
            yield bench.run(CASE[case])


@pytest.mark.parametrize("name", list(MUTATIONS) if FULL_SIZE else CI_SELECTION)
def test_flag_taken_away_makes_a_case_red(name: str, tmp_path: Path, us_daily_home: Path) -> None:
    mutate, case, said = MUTATIONS[name]
    with mutated(mutate, tmp_path, us_daily_home, case) as report:
        assert any(said in complaint for complaint in report.complaints), report


# Without our profile the kernel itself refuses these, for lack of a capability.
_HELD_BY_CAPABILITIES = frozenset(
    """
    acct adjtimex bpf capset chroot clock_settime delete_module fanotify_init finit_module
    fsmount fsopen init_module ioperm iopl kexec_load mount mount_setattr move_mount
    name_to_handle_at open_by_handle_at open_tree perf_event_open pivot_root quotactl reboot
    setdomainname setgroups sethostname setns settimeofday swapoff swapon syslog umount2
    unshare userfaultfd fsconfig io_uring_setup landlock_restrict_self ptrace
    """.split()  # noqa: SIM905 - easier to read
)


@pytest.mark.slow
def test_call_allowed_on_purpose_makes_its_row_red(tmp_path: Path, us_daily_home: Path) -> None:
    with mutated(everything_allowed, tmp_path, us_daily_home, "system-calls-refused") as report:
        red = {complaint.partition(":")[0] for complaint in report.complaints}
        assert set(REFUSED) - red <= _HELD_BY_CAPABILITIES
        assert len(red) > 60
