"""A controller in a container: its paths, as the engine sees them, proven before use."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock, FolderData, MemoryLeases

from stratlab.domain.errors import EngineError, SandboxNotReadyError, UnsafeConfigurationError
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.host_paths import SAME_PATHS, HostPaths
from stratlab.sandbox.labels import ContainerKind, ContainerLabels
from stratlab.sandbox.mount_check import check_mounts
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.scheduler import DockerSandbox
from stratlab.settings import SandboxSettings


def test_path_below_home_is_moved_to_the_hosts_home(tmp_path: Path) -> None:
    paths = HostPaths.of(tmp_path, "/srv/stratlab")
    assert paths.of_host(tmp_path / "data/x") == Path("/srv/stratlab/data/x")
    assert paths.of_host(tmp_path) == Path("/srv/stratlab")
    assert paths.socket_parent() == tmp_path / "run"


def test_without_the_setting_paths_stay(tmp_path: Path) -> None:
    assert HostPaths.of(tmp_path, "") == SAME_PATHS
    assert SAME_PATHS.of_host(Path("/anywhere/else")) == Path("/anywhere/else")
    assert SAME_PATHS.socket_parent() is None


def test_path_outside_home_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = HostPaths.of(home, "/srv/stratlab")
    for outside in (tmp_path / "home2/data", tmp_path, Path("/")):
        with pytest.raises(UnsafeConfigurationError, match="outside the home directory"):
            paths.of_host(outside)


@pytest.mark.parametrize("value", ["srv/stratlab", ".", "/", "/srv/../etc", "/srv\0x"])
def test_host_home_that_is_no_plain_absolute_path_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="host_home") as caught:
        HostPaths.of(tmp_path, value)
    assert "docs/deployment.md" in caught.value.hint


def test_sandbox_with_a_wrong_host_home_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(UnsafeConfigurationError, match="host_home"):
        DockerSandbox(
            settings=SandboxSettings(host_home="relative"),
            home=tmp_path,
            engine=DockerEngine(),
            leases=MemoryLeases(),
            market_data=FolderData(tmp_path),
            clock=Clock(),
        )


class LookingEngine:
    """An engine that sees the directories ``seen`` instead of the mounts' sources."""

    def __init__(self, seen: Path | None) -> None:
        self._seen = seen
        self.removed: list[str] = []
        self.sources: list[str] = []

    def create(self, name: str, config: dict) -> None:
        self.sources = [mount["Source"] for mount in config["HostConfig"]["Mounts"]]
        if self._seen is None:
            raise EngineError("invalid mount config: bind source path does not exist: /x")

    def read_file(self, name: str, path: str) -> bytes | None:
        file = self._seen / Path(path).name
        return file.read_bytes() if file.exists() else None

    def remove(self, name: str) -> None:
        self.removed.append(name)


def labels() -> ContainerLabels:
    name = f"stratlab-test-check-{secrets.token_hex(4)}"
    deadline = int(Clock().now().timestamp()) + 60
    return ContainerLabels("0" * 16, "test", name, "mount-check", deadline, ContainerKind.JOB)


def traits(home: Path, host_home: str) -> HostTraits:
    return HostTraits(paths=HostPaths.of(home, host_home))


IMAGE = "sha256:" + "a" * 64


def test_engine_that_sees_our_file_passes_and_nothing_is_left(tmp_path: Path) -> None:
    engine, own = LookingEngine(tmp_path), labels()
    check_mounts(engine, IMAGE, traits(tmp_path, "/srv/lab"), own, [tmp_path])
    assert engine.sources == ["/srv/lab"]
    assert engine.removed == [own.member]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seen", ["elsewhere", None])
def test_engine_that_sees_another_directory_or_none_is_refused(
    tmp_path: Path, seen: str | None
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    engine, own = LookingEngine(tmp_path / seen if seen else None), labels()
    with pytest.raises(SandboxNotReadyError) as caught:
        check_mounts(engine, IMAGE, traits(home, "/srv/lab"), own, [home])
    assert "sandbox.host_home" in caught.value.hint
    assert engine.removed == [own.member]
    assert list(home.iterdir()) == []


def test_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    engine = LookingEngine(tmp_path)
    with pytest.raises(SandboxNotReadyError, match="cannot be written"):
        check_mounts(engine, IMAGE, HostTraits(), labels(), [tmp_path / "missing"])


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    with closing(DockerEngine()) as engine:
        yield engine


@pytest.mark.docker
def test_real_engine_proves_its_mounts(engine: DockerEngine, tmp_path: Path) -> None:
    image = engine.resolve_image(SandboxSettings().image)
    check_mounts(engine, image, HostTraits(), labels(), [tmp_path])
    # The same directory under another name, as a controller in a container knows it.
    (tmp_path / "mapped").symlink_to(tmp_path)
    mapped = HostTraits(paths=HostPaths(tmp_path / "mapped", tmp_path))
    check_mounts(engine, image, mapped, labels(), [tmp_path / "mapped"])


@pytest.mark.docker
@pytest.mark.parametrize("exists", [True, False])
def test_real_engine_with_another_directory_is_refused(
    engine: DockerEngine, tmp_path: Path, exists: bool
) -> None:
    home, other, own = tmp_path / "home", tmp_path / "other", labels()
    home.mkdir()
    if exists:
        other.mkdir()
    image = engine.resolve_image(SandboxSettings().image)
    with pytest.raises(SandboxNotReadyError) as caught:
        check_mounts(engine, image, traits(home, str(other)), own, [home])
    assert "sandbox.host_home" in caught.value.hint
    assert engine.state(own.member) is None
