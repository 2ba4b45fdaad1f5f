"""Engines on which the policy of user ids cannot hold are refused with a remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock

from stratlab.domain.errors import SandboxNotReadyError
from stratlab.sandbox import engine as engine_module
from stratlab.sandbox.diagnosis import diagnose
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.engine_facts import EngineInfo
from stratlab.sandbox.trusted_job import DockerJobs
from stratlab.settings import SandboxSettings

# Parts of `GET /info` as engines answer it: rootful (Debian, 20.10), rootless (28.2 on cgroup v2)
# and rootful with userns-remap (20.10).
ROOTFUL = {
    "ServerVersion": "20.10.24+dfsg1",
    "CgroupVersion": "1",
    "CgroupDriver": "cgroupfs",
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Runtimes": {"runc": {"path": "runc"}},
    "NCPU": 2,
}
ROOTLESS = ROOTFUL | {
    "ServerVersion": "28.2.2",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "DockerRootDir": "/home/user/.local/share/docker",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
}
REMAPPED = ROOTFUL | {
    "DockerRootDir": "/var/lib/docker/165536.165536",
    "SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
}


class RecordedClient:
    """Answers what an engine once answered; anything else would be a container made."""

    def __init__(self, info: dict[str, object]) -> None:
        self._info = info

    def info(self) -> dict[str, object]:
        return self._info

    def version(self) -> dict[str, object]:
        return {"Components": [{"Name": "runc", "Version": "1.2.5"}]}

    def inspect_image(self, tag: str) -> dict[str, object]:
        labels = {engine_module.IMAGE_LABEL: "0" * 64}
        return {"Id": "sha256:" + "a" * 64, "Config": {"Labels": labels}}

    def close(self) -> None:
        """Nothing is held."""


Recorded = Callable[[dict[str, object]], DockerEngine]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    def engine(info: dict[str, object]) -> DockerEngine:
        monkeypatch.setattr(DockerEngine, "_connect", lambda _: RecordedClient(info))
        return DockerEngine()

    return engine


def info_of(recorded: Recorded, info: dict[str, object]) -> EngineInfo:
    return recorded(info).info()


def test_rootful_engine_is_accepted(recorded: Recorded) -> None:
    info_of(recorded, ROOTFUL).require_own_user_ids()


@pytest.mark.parametrize(
    ("answer", "complaint", "remedy"),
    [
        (ROOTLESS, "rootless", "engine that runs as root"),
        (REMAPPED, "remaps user namespaces", "without userns-remap"),
    ],
)
def test_engine_with_other_user_ids_is_refused_with_the_remedy(
    recorded: Recorded, answer: dict[str, object], complaint: str, remedy: str
) -> None:
    with pytest.raises(SandboxNotReadyError, match=complaint) as caught:
        info_of(recorded, answer).require_own_user_ids()
    assert remedy in caught.value.hint
    assert "docs/deployment.md" in caught.value.hint


def test_trusted_job_on_a_rootless_engine_starts_nothing(
    recorded: Recorded, tmp_path: Path
) -> None:
    jobs = DockerJobs(recorded(ROOTLESS), Clock(), "stratlab-sandbox:0.1.0", "0" * 16)
    with pytest.raises(SandboxNotReadyError, match="rootless"):
        jobs.run("stratlab_runner.build_tiers", read={}, write={"/output": tmp_path})


@pytest.mark.parametrize(("answer", "ok"), [(ROOTFUL, True), (ROOTLESS, False), (REMAPPED, False)])
def test_doctor_says_whose_user_ids_containers_have(
    recorded: Recorded, tmp_path: Path, answer: dict[str, object], ok: bool
) -> None:
    recorded(answer)
    (line,) = [line for line in diagnose(SandboxSettings(), tmp_path) if line.name == "user ids"]
    assert line.ok is ok
    assert bool(line.remedy) is not ok
