"""The cache of worlds: built once, bounded, kept while in use, and not to be told from a tier."""

import errno
import json
import os
from contextlib import contextmanager

import pytest
from tests.market_data.helpers import DescriptionJobs, small_content

from stratlab.domain.causality import World
from stratlab.domain.errors import DataSetNotFoundError, DiskFullError, EngineError
from stratlab.domain.market import Tier
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.worlds import WorldCache

BYTES = 1000


class FakeJobs:
    """Stands for the trusted job: a world is its recipe and some bytes."""

    def __init__(self):
        self.plans = []
        self.image = "sha256:one"
        self.error = None

    @contextmanager
    def opened(self):
        yield self

    def image_id(self):
        return self.image

    def run(self, module, *, read, write):
        assert module == "stratlab_runner.worlds.build"
        if self.error is not None:
            raise self.error
        source = read["/input"]
        assert {path.name for path in source.iterdir()} == {
            "plan.json", "tier.json", "prices.csv", "splits.csv", "dividends.csv",
        }  # fmt: skip
        plan = json.loads((source / "plan.json").read_text())
        self.plans.append(plan)
        for world in plan["worlds"]:
            folder = write["/output"] / world["name"]
            folder.mkdir()
            (folder / "tier.json").write_text(json.dumps(world))
            (folder / "bars").write_bytes(bytes(BYTES))


class TierJobs(DescriptionJobs):
    """Stands for the job that builds a data set: tiers with a description of their own."""

    def run(self, module, *, read, write):
        super().run(module, read=read, write=write)
        for tier in (write["/output"]).iterdir():
            told = {"first_session": "2020-01-02", "last_session": "2020-12-31", "tier": tier.name}
            (tier / "tier.json").write_text(json.dumps(told))


@pytest.fixture
def jobs():
    return FakeJobs()


@pytest.fixture
def home(tmp_path):
    build_data_set(tmp_path, "small", small_content(), TierJobs(), provenance="test")
    return tmp_path


def worlds(*seeds, tier=Tier.TRAIN):
    return [World("small", tier, 1_600_000_000, seed) for seed in seeds]


def mounts(home, names):
    return [Catalogue(home).mount("small", Tier.TRAIN, name) for name in names]


def test_worlds_are_built_in_one_job_and_only_once(home, jobs):
    cache = WorldCache(home, jobs.opened)
    with cache.opened(worlds(1, 2, 3)) as names:
        assert len(set(names)) == 3
        recipes = [json.loads((mount / "tier.json").read_text()) for mount in mounts(home, names)]
        assert [recipe["seed"] for recipe in recipes] == [1, 2, 3]
    with cache.opened(worlds(3, 4)) as again:
        assert again[0] == names[2]
    assert [[w["seed"] for w in plan["worlds"]] for plan in jobs.plans] == [[1, 2, 3], [4]]


def test_worlds_of_two_tiers_are_built_from_each(home, jobs):
    with WorldCache(home, jobs.opened).opened(
        [*worlds(1), *worlds(1, tier=Tier.VALIDATION)]
    ) as names:
        assert len(set(names)) == 2
    assert len(jobs.plans) == 2


def test_name_depends_on_the_image(home, jobs):
    cache = WorldCache(home, jobs.opened)
    with cache.opened(worlds(1)) as one:
        pass
    jobs.image = "sha256:two"
    with cache.opened(worlds(1)) as two:
        assert one != two


def test_world_is_as_old_as_its_tier(home, jobs):
    original = Catalogue(home).mount("small", Tier.TRAIN)
    for path in [original / "tier.json", original]:
        os.utime(path, (10_000, 20_000))
    with WorldCache(home, jobs.opened).opened(worlds(1)) as names:
        (mount,) = mounts(home, names)
        assert {path.stat().st_mtime for path in [mount, *mount.iterdir()]} == {20_000}


def test_oldest_worlds_make_room_but_not_those_in_use(home, jobs):
    cache = WorldCache(home, jobs.opened, max_bytes=3 * BYTES + 900)
    with cache.opened(worlds(1)) as kept:
        for seed in (2, 3, 4, 5):
            with cache.opened(worlds(seed)) as names:
                mounts(home, [*kept, *names])
        left = list((home / "data" / ".worlds").iterdir())
        assert len(left) <= 4
        mounts(home, kept)
    with cache.opened(worlds(6, 7, 8)) as names:
        mounts(home, names)
    with cache.opened(worlds(9)):
        pass
    with pytest.raises(DataSetNotFoundError):
        mounts(home, kept)


def test_failed_job_leaves_nothing(home, jobs):
    cache = WorldCache(home, jobs.opened)
    jobs.error = EngineError("the engine died")
    with pytest.raises(EngineError), cache.opened(worlds(1)):
        raise AssertionError("not reached")
    assert list((home / "data" / ".worlds").iterdir()) == []
    jobs.error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFullError), cache.opened(worlds(1)):
        raise AssertionError("not reached")
    jobs.error = None
    with cache.opened(worlds(1)) as names:
        mounts(home, names)


def test_what_a_killed_controller_left_is_removed(home, jobs):
    left = home / "data" / ".worlds" / ".building-dead"
    left.mkdir(parents=True)
    with WorldCache(home, jobs.opened).opened(worlds(1)):
        assert not left.exists()


@pytest.mark.parametrize("name", ["x", "..", "../../small", "a" * 31, "A" * 32, "a" * 32])
def test_name_that_is_no_world_is_not_found(home, name):
    with pytest.raises(DataSetNotFoundError):
        Catalogue(home).mount("small", Tier.TRAIN, name)


def test_worlds_are_no_data_sets(home, jobs):
    with WorldCache(home, jobs.opened).opened(worlds(1)):
        assert [each.name for each in Catalogue(home).list()] == ["small"]
        Catalogue(home).verify("small")
    with (
        pytest.raises(DataSetNotFoundError),
        WorldCache(home, jobs.opened).opened([World("nothing", Tier.TRAIN)]),
    ):
        raise AssertionError("not reached")


def test_no_worlds_need_no_engine(home):
    def nobody():
        raise AssertionError("no engine is asked")

    with WorldCache(home, nobody).opened([]) as names:
        assert names == []
