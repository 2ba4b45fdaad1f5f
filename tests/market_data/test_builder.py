"""Building a data set: all or nothing, once."""

import errno
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.market_data.helpers import DescriptionJobs, small_content, splits_table

from stratlab.domain.errors import (
    AlreadyExistsError,
    DataSetCorruptError,
    DiskFullError,
    EngineError,
)
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set

ROOT = Path(__file__).parents[2]


class FailingJobs:
    """Fails after it has written something."""

    def __init__(self, error):
        self.error = error

    def run(self, module, *, read, write):
        (write["/output"] / "half").write_text("done")
        raise self.error


def build(home, jobs, content=None):
    return build_data_set(home, "small", content or small_content(), jobs, provenance="test")


def visible(home):
    return sorted(
        path.name for path in (home / "data").iterdir() if not path.name.endswith(".lock")
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("the engine died"), EngineError),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFullError),
        (PermissionError(errno.EACCES, "Permission denied"), PermissionError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_build_of_failed_job_leaves_nothing(tmp_path, error, expected):
    with pytest.raises(expected):
        build(tmp_path, FailingJobs(error))
    assert visible(tmp_path) == []
    build(tmp_path, DescriptionJobs())
    Catalogue(tmp_path).verify("small")


def test_build_twice_runs_the_job_once(tmp_path):
    jobs = DescriptionJobs()
    assert build(tmp_path, jobs) == build(tmp_path, jobs)
    assert jobs.runs == 1


def test_build_of_other_content_under_the_name_refused(tmp_path):
    build(tmp_path, DescriptionJobs())
    with pytest.raises(AlreadyExistsError, match="other content"):
        build(tmp_path, DescriptionJobs(), small_content(splits=splits_table()))


def test_build_over_corrupt_manifest_refused(tmp_path):
    build(tmp_path, DescriptionJobs())
    (tmp_path / "data" / "small" / "manifest.json").write_text("{}")
    with pytest.raises(DataSetCorruptError):
        build(tmp_path, DescriptionJobs())


def test_builders_at_the_same_time_build_once(tmp_path):
    jobs = DescriptionJobs()
    content = small_content()
    start = threading.Barrier(4)

    def work(_):
        start.wait()
        return build(tmp_path, jobs, content)

    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(work, range(4)))
    assert jobs.runs == 1
    assert all(data_set == built[0] for data_set in built)
    assert visible(tmp_path) == ["small"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.market_data.helpers import small_content
from stratlab.market_data.builder import build_data_set

class Killed:
    def run(self, module, *, read, write):
        (write["/output"] / "half").write_text("done")
        os.kill(os.getpid(), signal.SIGKILL)

build_data_set(Path(sys.argv[1]), "small", small_content(), Killed(), provenance="test")
"""


def test_build_killed_is_invisible_and_repeatable(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert Catalogue(tmp_path).list() == []
    build(tmp_path, DescriptionJobs())
    Catalogue(tmp_path).verify("small")
    assert visible(tmp_path) == ["small"]


def test_build_puts_equal_files_for_equal_content(tmp_path):
    for home in ("one", "two"):
        build(tmp_path / home, DescriptionJobs())
    one, two = (tmp_path / home / "data" / "small" / "manifest.json" for home in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
