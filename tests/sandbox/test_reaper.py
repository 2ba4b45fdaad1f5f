"""What the reaper removes, what it leaves alone, and in which order it looks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.sandbox.builders import Clock, MemoryLeases

from stratlab.domain.errors import EngineError, EngineUnavailableError
from stratlab.domain.ports import Lease
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.engine_facts import ContainerSummary
from stratlab.sandbox.identity import controller_id, member_prefix
from stratlab.sandbox.labels import INSTALLATION_LABEL, ContainerKind, ContainerLabels
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.reaper import Reaper

INSTALLATION = "0123456789abcdef"
DEAD = controller_id().rsplit(".", 2)[0] + ".4194305.1"
SOON = timedelta(minutes=5)


class Shelf:
    """An engine that holds containers and can be made to refuse."""

    def __init__(self) -> None:
        self.containers: dict[str, ContainerSummary] = {}
        self.stubborn: set[str] = set()
        self.away = False
        self.after_listing = lambda: None

    def put(
        self,
        name: str,
        *,
        controller: str = "",
        late: bool = False,
        kind: ContainerKind = ContainerKind.MEMBER,
        installation: str = INSTALLATION,
    ) -> None:
        deadline = datetime.now(UTC) + (-SOON if late else SOON)
        labels = ContainerLabels(
            installation,
            controller or controller_id(),
            name,
            "c1",
            int(deadline.timestamp()),
            kind,
        )
        self.containers[name] = ContainerSummary(name, True, labels.as_mapping())

    def labelled(self, label: str, value: str) -> tuple[ContainerSummary, ...]:
        if self.away:
            raise EngineUnavailableError("gone")
        found = tuple(c for c in self.containers.values() if c.labels.get(label) == value)
        self.after_listing()
        return found

    def remove(self, name: str) -> None:
        if name in self.stubborn:
            raise EngineError("device busy")
        self.containers.pop(name, None)


class Scene:
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.leases = MemoryLeases()
        self.reaper = Reaper(self.shelf, self.leases, Clock(), INSTALLATION)

    def lease(self, name: str, *, owner: str = "", late: bool = False) -> None:
        deadline = datetime.now(UTC) + (-SOON if late else SOON)
        owner = owner or controller_id()
        self.leases.acquire(Lease(name, "c1", owner, 0, "sha256:a", "runc", deadline))

    def left(self) -> tuple[set[str], set[str]]:
        return set(self.shelf.containers), {lease.member_id for lease in self.leases.live()}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Scene()


def test_leased_container_of_a_living_controller_is_left_alone(scene: Scene) -> None:
    scene.lease("m")
    scene.shelf.put("m")
    report = scene.reaper.sweep()
    assert scene.left() == ({"m"}, {"m"})
    assert report.containers == report.leases == ()


def test_container_without_a_lease_is_removed(scene: Scene) -> None:
    scene.shelf.put("m")
    assert scene.reaper.sweep().containers == ("m",)
    assert scene.left() == (set(), set())


def test_everything_of_a_dead_controller_is_removed(scene: Scene) -> None:
    scene.lease("m", owner=DEAD)
    scene.shelf.put("m", controller=DEAD)
    scene.shelf.put("j", controller=DEAD, kind=ContainerKind.JOB)
    scene.lease("never-created", owner=DEAD)
    scene.reaper.sweep()
    assert scene.left() == (set(), set())


def test_container_past_its_deadline_is_removed_and_its_lease_released(scene: Scene) -> None:
    scene.lease("m", late=True)
    scene.shelf.put("m", late=True)
    scene.shelf.put("j", late=True, kind=ContainerKind.JOB)
    scene.reaper.sweep()
    assert scene.left() == (set(), set())


def test_job_of_a_living_controller_needs_no_lease(scene: Scene) -> None:
    scene.shelf.put("j", kind=ContainerKind.JOB)
    scene.reaper.sweep()
    assert scene.left() == ({"j"}, set())


def test_container_of_another_installation_is_never_touched(scene: Scene) -> None:
    scene.shelf.put("m", controller=DEAD, late=True, installation="fedcba9876543210")
    scene.reaper.sweep()
    assert scene.left() == ({"m"}, set())


def test_container_with_broken_labels_of_ours_is_removed(scene: Scene) -> None:
    labels = {INSTALLATION_LABEL: INSTALLATION}
    scene.shelf.containers["m"] = ContainerSummary("m", True, labels)
    scene.reaper.sweep()
    assert scene.left() == (set(), set())


def test_member_that_starts_during_the_sweep_is_left_alone(scene: Scene) -> None:
    def start() -> None:
        scene.lease("new")
        scene.shelf.put("new")

    scene.shelf.after_listing = start
    scene.reaper.sweep()
    assert scene.left() == ({"new"}, {"new"})


def test_container_that_cannot_be_removed_keeps_its_lease_and_does_not_stop_the_sweep(
    scene: Scene,
) -> None:
    for name in ("a", "b"):
        scene.lease(name, owner=DEAD)
        scene.shelf.put(name, controller=DEAD)
    scene.shelf.stubborn.add("a")
    report = scene.reaper.sweep()
    assert scene.left() == ({"a"}, {"a"})
    assert report.leases == ("b",)
    scene.shelf.stubborn.clear()
    scene.reaper.sweep()
    assert scene.left() == (set(), set())


def test_engine_away_sweep_says_so_and_releases_nothing(scene: Scene) -> None:
    scene.lease("m", owner=DEAD)
    scene.shelf.away = True
    with pytest.raises(EngineUnavailableError):
        scene.reaper.sweep()
    assert scene.left()[1] == {"m"}


def test_socket_directories_of_dead_controllers_are_removed(scene: Scene, tmp_path: Path) -> None:
    directory = tmp_path / f"stratlab-{INSTALLATION[:8]}-4194305"
    (directory / "abc").mkdir(parents=True)
    (directory / "abc" / "link.sock").touch()
    assert scene.reaper.sweep().directories == (str(directory),)
    assert not directory.exists()


def test_group_of_a_member_that_starts_meanwhile_is_left_alone(
    scene: Scene, tmp_path: Path
) -> None:
    cgroups = MemberCgroups(HostTraits(cgroup_version=2), mount=tmp_path / "cgroup")
    prefix = member_prefix(INSTALLATION)
    groups = {name: next(cgroups.directories(prefix + name)) for name in ("ended", "starts")}
    groups["ended"].mkdir(parents=True)

    class Late(MemoryLeases):
        def live(self) -> list[Lease]:
            groups["starts"].mkdir(parents=True)
            return []

    Reaper(scene.shelf, Late(), Clock(), INSTALLATION, cgroups=cgroups).sweep()
    assert {name for name, group in groups.items() if group.exists()} == {"starts"}
