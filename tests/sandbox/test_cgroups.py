"""Control groups of gVisor members: what is written, who is moved, and what is left alone."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.domain.trial import Limits
from stratlab.sandbox.cgroups import MOUNT, MemberCgroups, mounted_version
from stratlab.sandbox.policy import HostTraits, host_task_limit

LIMITS = Limits(memory_mib=512, cpus=1.5, pids=40)
NAME = "stratlab-0123abcd-77"
SHIM, SANDBOX, GOFER, STUB, STUBS_CHILD, STRANGER = 100, 110, 111, 120, 121, 999


@dataclass
class Host:
    """A mount of control groups and a /proc, both made of plain files."""

    mount: Path
    proc: Path

    def cgroups(self, version: int, parent: str = "") -> MemberCgroups:
        return MemberCgroups(HostTraits(version, "cgroupfs", parent, 2), self.mount, self.proc)

    def process(self, number: int, parent: int, name: str, groups: str = "") -> None:
        folder = self.proc / str(number)
        folder.mkdir()
        (folder / "stat").write_text(f"{number} ({name}) S {parent} 1 1 0")
        (folder / "comm").write_text(name + "\n")
        (folder / "cgroup").write_text(groups)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A sandbox of gVisor as it was seen on a real host, and a process that is no part of it."""
    made = Host(tmp_path / "cgroup", tmp_path / "proc")
    made.mount.mkdir()
    made.proc.mkdir()
    made.process(SHIM, 1, "containerd-shim")
    made.process(SANDBOX, SHIM, "exe", "4:memory:/\n0::/\n")
    made.process(GOFER, SHIM, "exe")
    made.process(STUB, SANDBOX, "exe")
    made.process(STUBS_CHILD, STUB, "exe")
    made.process(STRANGER, 1, "sshd")
    return made


def written(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir() if file.is_file()}


def test_version_one_each_controller_has_its_group_with_its_limit(host: Host) -> None:
    assert host.cgroups(1).confine(NAME, SANDBOX, LIMITS)
    memory = written(host.mount / "memory" / "stratlab" / NAME)
    assert memory["memory.limit_in_bytes"] == str(512 << 20)
    assert written(host.mount / "pids" / "stratlab" / NAME)["pids.max"] == str(host_task_limit(40))
    cpu = written(host.mount / "cpu" / "stratlab" / NAME)
    assert (cpu["cpu.cfs_quota_us"], cpu["cpu.cfs_period_us"]) == ("150000", "100000")


def test_version_two_one_group_has_all_limits_and_its_parents_hand_them_down(host: Host) -> None:
    assert host.cgroups(2, "/lab.slice").confine(NAME, SANDBOX, LIMITS)
    group = written(host.mount / "lab.slice" / NAME)
    assert group["memory.max"] == str(512 << 20)
    assert group["memory.oom.group"] == "1"
    assert group["pids.max"] == str(host_task_limit(40))
    assert group["cpu.max"] == "150000 100000"
    for above in (host.mount, host.mount / "lab.slice"):
        assert written(above)["cgroup.subtree_control"] == "+memory +pids +cpu"


def test_all_processes_of_the_sandbox_are_moved_and_no_other(host: Host) -> None:
    moved: list[int] = []

    class Recording(type(Path())):  # type: ignore[misc]  # the platform's own path class
        def write_text(self, data: str, *args: str, **kwargs: str) -> int:
            if self.name == "cgroup.procs":
                moved.append(int(data))
            return super().write_text(data, *args, **kwargs)

    cgroups = MemberCgroups(HostTraits(2, "cgroupfs", "", 2), Recording(host.mount), host.proc)
    cgroups.confine(NAME, SANDBOX, LIMITS)
    assert sorted(moved) == [SANDBOX, GOFER, STUB, STUBS_CHILD]


@pytest.mark.parametrize(
    ("version", "line", "group", "file"),
    [
        (1, "4:memory:/docker/abc\n", "memory/docker/abc", "memory.limit_in_bytes"),
        (2, "0::/system.slice/docker-abc.scope\n", "system.slice/docker-abc.scope", "memory.max"),
    ],
)
def test_limit_that_the_runtime_enforces_is_left_to_it(
    host: Host, version: int, line: str, group: str, file: str
) -> None:
    (host.proc / str(SANDBOX) / "cgroup").write_text(line)
    directory = host.mount / group
    directory.mkdir(parents=True)
    (directory / file).write_text(str(512 << 20))
    assert not host.cgroups(version).confine(NAME, SANDBOX, LIMITS)
    assert not list(host.mount.rglob(NAME))
    (directory / file).write_text(str(1 << 40))
    assert host.cgroups(version).confine(NAME, SANDBOX, LIMITS)


@pytest.mark.parametrize("version", [1, 2])
def test_member_that_is_gone_is_an_error(host: Host, version: int) -> None:
    with pytest.raises(EngineError, match="control group"):
        host.cgroups(version).confine(NAME, 4242, LIMITS)


def test_groups_that_may_not_be_made_say_what_to_do(host: Host) -> None:
    host.mount.rmdir()
    host.mount.write_text("no directory")
    with pytest.raises(SandboxNotReadyError, match="control group") as caught:
        host.cgroups(1).confine(NAME, SANDBOX, LIMITS)
    assert "--ignore-cgroups" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "file", "text", "kills"),
    [
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        (2, "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n", 1),
        (2, "memory.events", "garbage", 0),
    ],
)
def test_memory_kills_are_read(host: Host, version: int, file: str, text: str, kills: int) -> None:
    cgroups = host.cgroups(version)
    assert cgroups.memory_kills(NAME) == 0
    cgroups.confine(NAME, SANDBOX, LIMITS)
    (next(cgroups.directories(NAME)) / file).write_text(text)
    assert cgroups.memory_kills(NAME) == kills


@pytest.mark.parametrize(
    ("version", "group", "files", "cpus"),
    [
        (1, "cpu/x", {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000"}, 1.5),
        (1, "cpu/x", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 0.0),
        (2, "x", {"cpu.max": "50000 100000"}, 0.5),
        (2, "x", {"cpu.max": "max 100000"}, 0.0),
    ],
)
def test_cores_of_a_running_process_are_read(
    host: Host, version: int, group: str, files: dict[str, str], cpus: float
) -> None:
    (host.proc / str(SANDBOX) / "cgroup").write_text("3:cpu:/x\n0::/x\n")
    directory = host.mount / group
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    assert host.cgroups(version).cpus_of(SANDBOX) == cpus
    assert host.cgroups(version).cpus_of(4242) == 0.0


def test_sweep_removes_empty_groups_of_members_that_have_ended(host: Host) -> None:
    cgroups = host.cgroups(1)
    names = ("stratlab-0123abcd-1", "stratlab-0123abcd-2", "stratlab-ffffffff-3")
    for name in names:
        for directory in cgroups.directories(name):
            directory.mkdir(parents=True)
    assert cgroups.members("stratlab-0123abcd-") == set(names[:2])
    in_use = next(cgroups.directories(names[0])) / "cgroup.procs"
    in_use.touch()
    cgroups.sweep([*names[:2], "stratlab-0123abcd-unknown"])
    left = {path.name for path in (host.mount / "memory" / "stratlab").iterdir()}
    assert left == {names[0], names[2]}


def test_member_without_groups_is_killed_and_removed_without_error(host: Host) -> None:
    for version in (1, 2):
        assert not host.cgroups(version).kill(NAME)
        host.cgroups(version).remove(NAME)


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(MOUNT, os.W_OK) or mounted_version() != 1,
    reason="needs root and control groups of version 1",
)
def test_real_group_holds_a_process_and_its_children_until_they_are_killed() -> None:
    cgroups = MemberCgroups(HostTraits(cgroup_parent="stratlab-test"))
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & sleep 60"]) as process:
        try:
            time.sleep(0.2)
            assert cgroups.confine(NAME, process.pid, Limits(memory_mib=64, cpus=0.5, pids=8))
            assert cgroups.cpus_of(process.pid) == 0.5
            assert cgroups.group_of(process.pid) == next(cgroups.directories(NAME))
            assert not cgroups.confine(NAME, process.pid, Limits(memory_mib=64))
            began = time.monotonic()
            assert cgroups.kill(NAME)
            assert time.monotonic() - began < 0.5
            assert process.wait() == -9
        finally:
            process.kill()
    cgroups.remove(NAME)
    assert not any(directory.exists() for directory in cgroups.directories(NAME))
    for directory in cgroups.directories(NAME):
        directory.parent.rmdir()
