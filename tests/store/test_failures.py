"""A database that fails says what to do, and loses nothing."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from tests.suites.samples import START, a_campaign, an_iteration

from stratlab.domain.errors import DiskFullError, IntegrityError, StoreError
from stratlab.domain.events import EventKind
from stratlab.store import database as database_module
from stratlab.store import open_repository
from stratlab.store.artifacts import FileArtifacts
from stratlab.store.audit import verify_audit


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two MiB, filled by ``fill``."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("missing: the right to mount a small tmpfs (run as root)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free == 0
    return filler


def test_locked_database_is_a_store_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    path = tmp_path / "stratlab.db"
    repository = open_repository(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as caught:
            repository.create_campaign(a_campaign(), "")
        assert "fuser" in caught.value.hint
        assert repository.list_campaigns() == []  # readers do not wait
    assert repository.create_campaign(a_campaign(), "").id == "c1"
    repository.close()


def test_writer_waits_for_a_lock_that_is_released(repository, database):
    with closing(sqlite3.connect(database, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        began = time.monotonic()
        with repository.transaction() as transaction:
            transaction.save_iteration(an_iteration())
        assert time.monotonic() - began >= 0.2
        timer.join()


def test_first_start_waits_for_another_that_is_switching_the_journal(tmp_path):
    # In this moment SQLite fails at once, whatever the busy timeout is.
    path = tmp_path / "stratlab.db"
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("CREATE TABLE other (x)")
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        repository = open_repository(f"sqlite:///{path}")
        timer.join()
    assert repository.list_campaigns() == []
    repository.close()


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)
    with pytest.raises(StoreError, match="not a stratlab database"):
        open_repository(f"sqlite:///{path}")
    assert path.read_text().startswith("my notes")


def test_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        open_repository(f"sqlite:///{tmp_path / 'file' / 'stratlab.db'}")


def test_path_that_is_a_directory_cannot_be_opened(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"):
        open_repository(f"sqlite:///{tmp_path}")


def test_driver_that_is_missing_is_named():
    with pytest.raises(StoreError, match="pg8000"):
        open_repository("postgresql+pg8000://localhost/x")


def test_document_changed_by_hand_is_an_integrity_error(repository, database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE campaigns SET document = '{}'")
    with pytest.raises(IntegrityError, match="Campaign"):
        repository.get_campaign("c1")


def test_writer_syncs_every_commit_to_the_disk(repository):
    with repository._database.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
        }
    assert pragmas == {
        "synchronous": 2,
        "foreign_keys": 1,
        "journal_mode": "wal",
        "busy_timeout": 30_000,
    }


def test_full_disk_is_typed_and_the_store_continues_when_space_is_free(small_disk):
    repository = open_repository(f"sqlite:///{small_disk / 'stratlab.db'}")
    campaign = repository.create_campaign(a_campaign(), "")
    filler = fill(small_disk)
    big = replace(an_iteration(), patch="x" * 100_000)
    with pytest.raises(DiskFullError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
        transaction.append_event("c1", START, EventKind.ITERATION_STARTED, {})
        transaction.save_iteration(big)
        transaction.save_campaign(replace(campaign, iteration=1))
    assert repository.get_campaign("c1") == campaign
    assert verify_audit(repository) == {"c1": 1}
    filler.unlink()
    with repository.transaction() as transaction:
        transaction.save_iteration(big)
    assert repository.get_iteration("c1", 1) == big
    repository.close()


def test_first_start_on_a_full_disk_is_typed(small_disk):
    filler = fill(small_disk)
    with pytest.raises(DiskFullError):
        open_repository(f"sqlite:///{small_disk / 'stratlab.db'}")
    filler.unlink()
    open_repository(f"sqlite:///{small_disk / 'stratlab.db'}").close()


def test_artifact_on_a_full_disk_is_typed_and_the_older_file_stays(small_disk, repository):
    artifacts = FileArtifacts(small_disk, repository)
    old = artifacts.put("c1", "a.bin", "application/octet-stream", b"old")
    filler = fill(small_disk)
    with pytest.raises(DiskFullError):
        artifacts.put("c1", "a.bin", "application/octet-stream", os.urandom(100_000))
    assert artifacts.list("c1") == [old]
    assert b"".join(artifacts.read(old)) == b"old"
    assert (small_disk / "reports/campaigns/c1/a.bin").read_bytes() == b"old"
    assert list(small_disk.rglob(".unfinished-*")) == []
    filler.unlink()
    assert shutil.disk_usage(small_disk).free > 1_000_000
