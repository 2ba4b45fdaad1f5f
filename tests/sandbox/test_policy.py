"""Every flag of the policy, field by field, and every setting that it refuses."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratlab.domain.errors import UnsafeConfigurationError
from stratlab.domain.trial import Limits
from stratlab.sandbox.labels import ContainerKind, ContainerLabels
from stratlab.sandbox.policy import (
    ENVIRONMENT,
    HostTraits,
    MemberRequest,
    job_config,
    member_config,
)
from stratlab.sandbox.seccomp import SeccompProfile, load_seccomp_profile, parse_seccomp_profile
from stratlab.settings import SandboxSettings

IMAGE = "sha256:" + "0" * 64
HOST = HostTraits(cgroup_version=1, cgroup_driver="cgroupfs", cpus=4)
PROFILE = SeccompProfile('{"defaultAction": "SCMP_ACT_ERRNO"}', "d" * 64)
LABELS = ContainerLabels("0123456789abcdef", "m.b.1.2.3", "stratlab-x", "c1", 1_700_000_000)
REQUEST = MemberRequest(
    image_id=IMAGE,
    runtime="runc",
    uid=70_001,
    limits=Limits(memory_mib=512, cpus=1.5, pids=40, tmp_mib=32),
    socket_directory=Path("/run/s/abc"),
    data_directory=Path("/home/u/.stratlab/data/us-daily/tiers/train"),
    labels=LABELS,
)


def config(host: HostTraits = HOST, **changes: Any) -> dict[str, Any]:
    return member_config(replace(REQUEST, **changes), host, PROFILE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Image", IMAGE),
        ("User", "70001:70001"),
        ("Hostname", "member"),
        ("NetworkDisabled", True),
        ("OpenStdin", False),
        ("Tty", False),
        ("WorkingDir", "/"),
        ("Healthcheck", {"Test": ["NONE"]}),
    ],
)
def test_member_config_field_is_as_the_policy_says(field: str, value: object) -> None:
    assert config()[field] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("NetworkMode", "none"),
        ("ReadonlyRootfs", True),
        ("Privileged", False),
        ("CapDrop", ["ALL"]),
        ("IpcMode", "none"),
        ("CgroupnsMode", "private"),
        ("OomScoreAdj", 1000),
        ("OomKillDisable", False),
        ("Init", False),
        ("AutoRemove", False),
        ("PublishAllPorts", False),
        ("RestartPolicy", {"Name": "no", "MaximumRetryCount": 0}),
        ("Runtime", "runc"),
        ("Memory", 512 << 20),
        ("MemorySwap", 512 << 20),
        ("MemorySwappiness", 0),
        ("NanoCpus", 1_500_000_000),
        ("PidsLimit", 40),
        ("LogConfig", {"Type": "none", "Config": {}}),
        ("SecurityOpt", ["no-new-privileges:true", f"seccomp={PROFILE.text}"]),
    ],
)
def test_member_config_host_field_is_as_the_policy_says(field: str, value: object) -> None:
    assert config()["HostConfig"][field] == value


def test_member_config_ulimits_soft_and_hard_are_equal() -> None:
    limits = {row["Name"]: (row["Soft"], row["Hard"]) for row in config()["HostConfig"]["Ulimits"]}
    assert limits == {
        "core": (0, 0),
        "fsize": (32 << 20, 32 << 20),
        "memlock": (65_536, 65_536),
        "msgqueue": (0, 0),
        "nofile": (1024, 1024),
        "nproc": (320, 320),
    }


def test_process_limit_is_exact_where_the_cgroup_may_not_hold() -> None:
    limits = config(runtime="runsc")["HostConfig"]["Ulimits"]
    assert {"Name": "nproc", "Soft": 40, "Hard": 40} in limits


def test_member_config_tmp_is_bounded_and_nothing_else_is_writable() -> None:
    host = config()["HostConfig"]
    tmp, queues = sorted(host["Tmpfs"], reverse=True)
    assert (tmp, queues) == ("/tmp", "/dev/mqueue")  # noqa: S108 - inside the container
    options = host["Tmpfs"][tmp].split(",")
    assert {"noexec", "nosuid", "nodev", "size=32m", "nr_inodes=4096", "mode=0700"} <= set(options)
    assert {"uid=70001", "gid=70001"} <= set(options)
    assert host["Tmpfs"]["/dev/mqueue"].startswith("ro,")
    assert all(mount["ReadOnly"] for mount in host["Mounts"])


def test_member_config_mounts_are_socket_and_tier_only() -> None:
    mounts = config()["HostConfig"]["Mounts"]
    assert [(mount["Source"], mount["Target"]) for mount in mounts] == [
        ("/run/s/abc", "/run/stratlab"),
        ("/home/u/.stratlab/data/us-daily/tiers/train", "/data"),
    ]
    assert {mount["BindOptions"]["Propagation"] for mount in mounts} == {"rprivate"}
    assert all(mount["BindOptions"]["NonRecursive"] for mount in mounts)


def test_member_config_without_data_has_no_data_mount() -> None:
    targets = [mount["Target"] for mount in config(data_directory=None)["HostConfig"]["Mounts"]]
    assert targets == ["/run/stratlab"]


def test_member_config_environment_is_the_allow_list_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary")
    environment = config()["Env"]
    assert environment == sorted(f"{name}={value}" for name, value in ENVIRONMENT.items())
    assert "canary" not in json.dumps(config())


@pytest.mark.docker
def test_environment_keeps_arithmetic_on_one_thread_and_the_import_of_zipline_silent() -> None:
    program = (
        "import numexpr, numpy; numpy.ones((500, 500)) @ numpy.ones((500, 500)); "
        "numexpr.evaluate('a + 1', {'a': numpy.ones(10**6)}); "
        "print(next(line for line in open('/proc/self/status') if 'Threads' in line)); "
        "import zipline.api"
    )
    environment = [f"--env={name}={value}" for name, value in ENVIRONMENT.items()]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--tmpfs=/tmp", *environment,
         "--entrypoint=python", SandboxSettings().image, "-P", "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["Threads:", "1"], "")


def test_member_config_has_no_entry_point_of_its_own_unless_asked() -> None:
    assert "Entrypoint" not in config()
    assert config(command=("python", "-P"))["Entrypoint"] == ["python", "-P"]


def test_member_config_labels_can_be_read_back() -> None:
    labels = config()["Labels"]
    assert ContainerLabels.from_mapping(labels) == LABELS
    assert all(name.startswith("org.stratlab.") for name in labels)


def test_member_config_is_json() -> None:
    assert json.loads(json.dumps(config())) == config()


def test_cgroup_v2_has_no_swappiness_but_still_no_swap() -> None:
    host = config(replace(HOST, cgroup_version=2, cgroup_driver="systemd"))["HostConfig"]
    assert "MemorySwappiness" not in host
    assert host["Memory"] == host["MemorySwap"]


def test_cgroup_parent_is_passed_on_when_set() -> None:
    assert "CgroupParent" not in config()["HostConfig"]
    parent = config(replace(HOST, cgroup_parent="/stratlab"))["HostConfig"]["CgroupParent"]
    assert parent == "/stratlab"
    systemd = HostTraits(2, "systemd", "stratlab.slice", 4)
    assert config(systemd)["HostConfig"]["CgroupParent"] == "stratlab.slice"


@pytest.mark.parametrize(
    "host",
    [
        HostTraits(2, "systemd", "/stratlab", 4),
        HostTraits(1, "cgroupfs", "../../escape", 4),
        HostTraits(1, "cgroupfs", "a b", 4),
    ],
)
def test_cgroup_parent_that_the_driver_cannot_use_is_refused(host: HostTraits) -> None:
    with pytest.raises(UnsafeConfigurationError, match="cgroup parent"):
        config(host)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"runtime": "kata"}, "runtime"),
        ({"runtime": ""}, "runtime"),
        ({"image_id": "stratlab-sandbox:0.1.0"}, "image id"),
        ({"uid": 0}, "uid"),
        ({"uid": 1000}, "uid"),
        ({"uid": 2**31}, "uid"),
        ({"data_directory": Path("data/train")}, "mount source"),
        ({"data_directory": Path("/")}, "mount source"),
        ({"data_directory": Path("/data/../etc")}, "mount source"),
        ({"socket_directory": Path("run")}, "mount source"),
        ({"limits": Limits(memory_mib=255)}, "memory_mib"),
        ({"limits": Limits(cpus=0)}, "cpus"),
        ({"limits": Limits(cpus=5)}, "cpus"),
        ({"limits": Limits(cpus=float("nan"))}, "cpus"),
        ({"limits": Limits(pids=0)}, "pids"),
        ({"limits": Limits(pids=-1)}, "pids"),
        ({"limits": Limits(pids=100_000)}, "pids"),
        ({"limits": Limits(tmp_mib=0)}, "tmp_mib"),
        ({"limits": Limits(tmp_mib=4096)}, "tmp_mib"),
        ({"limits": Limits(cpu_seconds=0)}, "cpu_seconds"),
        ({"limits": Limits(wall_seconds=0)}, "wall_seconds"),
        ({"limits": Limits(output_mib=0)}, "output_mib"),
    ],
)
def test_unsafe_setting_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match=complaint):
        config(**changes)


@pytest.mark.parametrize("value", ["", "a b", "x" * 200, "c1\nevil=1", "-flag", "ü"])
def test_hostile_label_value_is_refused(value: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="label"):
        config(labels=replace(LABELS, campaign=value))


@pytest.mark.parametrize("labels", [{}, {"org.stratlab.deadline": "soon"}, {"x": "y"}])
def test_broken_labels_read_as_long_expired(labels: dict[str, str]) -> None:
    assert ContainerLabels.from_mapping(labels).deadline == 0


def test_seccomp_profile_of_the_package_denies_by_default_and_has_a_digest() -> None:
    profile = load_seccomp_profile()
    assert json.loads(profile.text)["defaultAction"] == "SCMP_ACT_ERRNO"
    assert len(profile.digest) == 64
    assert parse_seccomp_profile(profile.text) == profile


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"defaultAction": "SCMP_ACT_ALLOW"}', "null"])
def test_seccomp_profile_that_does_not_deny_is_refused(text: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="seccomp"):
        parse_seccomp_profile(text)


def job(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "image_id": IMAGE,
        "user": "1000:1000",
        "module": "stratlab_runner.build_tiers",
        "read": {"/input": Path("/home/u/in")},
        "write": {"/output": Path("/home/u/out")},
        "labels": replace(LABELS, kind=ContainerKind.JOB),
        "host": HOST,
    }
    return job_config(**(arguments | changes))


def test_job_config_has_no_network_no_capability_and_only_the_given_mounts() -> None:
    made = job()
    host = made["HostConfig"]
    assert made["Entrypoint"] == ["python", "-P", "-m", "stratlab_runner.build_tiers"]
    assert made["User"] == "1000:1000"
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert [(mount["Target"], mount["ReadOnly"]) for mount in host["Mounts"]] == [
        ("/input", True),
        ("/output", False),
    ]


@pytest.mark.parametrize("module", ["os", "stratlab_runner", "stratlab_runner.x;y", "../x", ""])
def test_job_of_a_foreign_module_is_refused(module: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="not a module of the runner"):
        job(module=module)
