"""Several processes on one store, and processes that are killed in the middle of it."""

import random
import subprocess
import sys
import time

import pytest
from tests.suites.concurrency_suite import WRITERS, WRITES_EACH

from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

pytestmark = pytest.mark.load

OPEN = "import sys; from stratlab.store import open_repository as o; o(sys.argv[1]).close()"


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def start_writer(database, count: int, note: str) -> subprocess.Popen[str]:
    return start("-m", "tests.store.writer", f"sqlite:///{database}", str(count), note)


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def test_read_modify_writes_of_twenty_processes_all_survive(repository, database):
    writers = [start_writer(database, WRITES_EACH, str(n)) for n in range(WRITERS)]
    for writer in writers:
        finish(writer)
    total = WRITERS * WRITES_EACH
    assert repository.get_campaign("c1").iteration == total
    events = repository.events("c1", after=1, limit=2 * total)
    assert len({event.payload for event in events}) == total
    assert verify_audit(repository) == {"c1": total + 1}


def test_store_after_kill_of_a_writer_has_every_acknowledged_write_whole(
    repository, database, full_size
):
    chance = random.Random(1)
    repository.close()
    acknowledged = 0
    for kill in range(200 if full_size else 6):
        writer = start_writer(database, 0, f"kill {kill}")
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(chance.randrange(1, 40)):
            writer.stdout.readline()
            acknowledged += 1
        time.sleep(chance.random() * 0.004)
        writer.kill()
        writer.communicate(timeout=30)

        survivor = open_repository(f"sqlite:///{database}")
        campaign = survivor.get_campaign("c1")
        counts = verify_audit(survivor)
        survivor.close()
        assert campaign.iteration >= acknowledged
        assert campaign.revision == campaign.iteration
        assert counts == {"c1": campaign.iteration + 1}
        acknowledged = campaign.iteration


def test_first_start_of_several_processes_at_once_makes_one_schema(tmp_path):
    url = f"sqlite:///{tmp_path / 'new' / 'stratlab.db'}"
    for process in [start("-c", OPEN, url) for _ in range(6)]:
        finish(process)
    repository = open_repository(url)
    assert repository.list_campaigns() == []
    repository.close()


@pytest.mark.parametrize("seed", range(4))
def test_first_start_killed_at_any_moment_is_repeated_by_the_next(tmp_path, seed):
    # Importing takes 0.2 s, so the kill falls before, into and after the migration.
    url = f"sqlite:///{tmp_path / 'stratlab.db'}"
    killed = start("-c", OPEN, url)
    time.sleep(0.15 + 0.4 * random.Random(seed).random())
    killed.kill()
    killed.communicate(timeout=30)
    repository = open_repository(url)
    assert repository.list_campaigns() == []
    repository.close()


def test_store_is_imported_and_opened_without_what_only_some_calls_need(repository, database):
    program = (
        "import sys, stratlab.store as s; print('sqlalchemy' in sys.modules);"
        "r = s.open_repository(sys.argv[1]); r.get_campaign('c1');"
        "print([m for m in ('alembic', 'pyarrow', 'numpy', 'pandas') if m in sys.modules])"
    )
    process = start("-c", program, f"sqlite:///{database}")
    output, errors = process.communicate(timeout=60)
    assert output == "False\n[]\n", errors
