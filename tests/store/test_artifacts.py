"""Files of campaigns keep their bytes and stay in their folder."""

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.concurrency_suite import in_threads
from tests.suites.memory_repository import MemoryRepository
from tests.suites.samples import a_campaign, a_result

from stratlab.domain.errors import IntegrityError, InvalidInputError, NotFoundError, StoreError
from stratlab.domain.trial import Outcome
from stratlab.store.artifacts import FileArtifacts
from stratlab.store.series import equity_from_parquet, fills_from_parquet

HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "../c2/a",
    "a/../../b",
    "a/..",
    "/etc/passwd",
    "//a",
    "a//b",
    "a/",
    "a\x00b",
    "a\nb",
    "a\\b",
    "~/a",
    ".hidden",
    "-rf",
    "a b",
    "\u2024\u2024/a",
    "\ud800",
    "a" * 129,
    "/".join("a" * 9),
    "/".join(["a" * 100] * 6),
]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def artifacts(home, repository):
    return FileArtifacts(home, repository)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def content_of(artifacts, artifact) -> bytes:
    return b"".join(artifacts.read(artifact))


def test_file_stored_is_described_listed_and_readable_under_its_name(artifacts, home):
    stored = artifacts.put("c1", "iterations/iter_1.json", "application/json", b"{}")
    assert (stored.size_bytes, stored.digest) == (2, hashlib.sha256(b"{}").hexdigest())
    assert artifacts.get("c1", "iterations/iter_1.json") == stored
    assert artifacts.list("c1") == [stored]
    assert content_of(artifacts, stored) == b"{}"
    assert (home / "reports/campaigns/c1/iterations/iter_1.json").read_bytes() == b"{}"
    assert (home / "blobs" / stored.digest[:2] / stored.digest[2:]).read_bytes() == b"{}"


def test_file_stored_again_is_replaced_and_the_old_bytes_stay_readable(artifacts, home):
    old = artifacts.put("c1", "campaign.json", "application/json", b"old")
    new = artifacts.put("c1", "campaign.json", "application/json", b"new")
    assert artifacts.list("c1") == [new]
    assert content_of(artifacts, old) == b"old"
    assert (home / "reports/campaigns/c1/campaign.json").read_bytes() == b"new"


def test_file_empty_is_stored(artifacts):
    stored = artifacts.put("c1", "empty.txt", "text/plain", b"")
    assert content_of(artifacts, stored) == b""


def test_content_is_read_in_bounded_chunks(artifacts):
    stored = artifacts.put("c1", "big.bin", "application/octet-stream", os.urandom(1000))
    assert [len(chunk) for chunk in artifacts.read(stored, chunk_bytes=300)] == [300, 300, 300, 100]


def test_same_bytes_are_stored_once(artifacts, home):
    for name in ("a.txt", "b.txt"):
        artifacts.put("c1", name, "text/plain", b"same")
    assert len(files(home / "blobs")) == 1


def test_report_edited_by_its_reader_does_not_change_what_was_stored(artifacts, home):
    stored = artifacts.put("c1", "report.md", "text/markdown", b"true")
    with (home / "reports/campaigns/c1/report.md").open("r+b") as report:
        report.write(b"fake")
    assert content_of(artifacts, stored) == b"true"


def test_blob_that_changed_on_disk_is_an_integrity_error_at_the_end(artifacts, home):
    stored = artifacts.put("c1", "a.txt", "text/plain", b"true")
    blob = home / "blobs" / stored.digest[:2] / stored.digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"fake")
    chunks = artifacts.read(stored)
    assert next(chunks) == b"fake"
    with pytest.raises(IntegrityError, match=r"a\.txt"):
        next(chunks)


def test_blob_that_is_gone_is_an_integrity_error_until_it_is_stored_again(artifacts, home):
    stored = artifacts.put("c1", "a.txt", "text/plain", b"true")
    (home / "blobs" / stored.digest[:2] / stored.digest[2:]).unlink()
    with pytest.raises(IntegrityError):
        content_of(artifacts, stored)
    artifacts.put("c1", "a.txt", "text/plain", b"true")
    assert content_of(artifacts, stored) == b"true"


def test_blob_damaged_is_mended_when_the_same_bytes_are_stored_again(artifacts, home):
    stored = artifacts.put("c1", "a.txt", "text/plain", b"true")
    blob = home / "blobs" / stored.digest[:2] / stored.digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"fake")
    artifacts.put("c1", "b.txt", "text/plain", b"true")
    assert content_of(artifacts, stored) == b"true"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_name_that_could_leave_the_folder_is_refused_and_nothing_is_written(artifacts, home, name):
    with pytest.raises(InvalidInputError):
        artifacts.put("c1", name, "text/plain", b"x")
    assert files(home) == []


@pytest.mark.parametrize("campaign", ["..", "../c1", "/", "", "c1/..", "a\x00", "."])
def test_campaign_id_that_could_leave_the_folder_is_refused(artifacts, home, campaign):
    with pytest.raises(InvalidInputError):
        artifacts.put(campaign, "a.txt", "text/plain", b"x")
    assert files(home) == []


@given(name=st.text(alphabet=st.sampled_from("ab./\\\x00~- _\n\u2215"), max_size=12))
def test_name_accepted_lies_below_the_campaign(tmp_path_factory, name):
    home = tmp_path_factory.mktemp("names")
    repository = MemoryRepository()
    repository.create_campaign(a_campaign(), "")
    try:
        FileArtifacts(home, repository).put("c1", name, "text/plain", b"x")
    except InvalidInputError:
        assert files(home) == []
    else:
        folder = home / "reports/campaigns/c1"
        assert files(home / "reports") == [folder / name]
        assert (folder / name).resolve().is_relative_to(folder.resolve())


def test_name_that_is_a_folder_of_another_is_refused_both_ways(artifacts):
    artifacts.put("c1", "a/b", "text/plain", b"x")
    with pytest.raises(InvalidInputError, match="folder"):
        artifacts.put("c1", "a", "text/plain", b"x")
    with pytest.raises(InvalidInputError, match="folder"):
        artifacts.put("c1", "a/b/c", "text/plain", b"x")
    assert [artifact.name for artifact in artifacts.list("c1")] == ["a/b"]


def test_campaign_unknown_is_not_found_and_nothing_is_written(artifacts, home):
    with pytest.raises(NotFoundError):
        artifacts.put("none", "a.txt", "text/plain", b"x")
    assert files(home) == []


def test_artifact_unknown_is_not_found(artifacts):
    with pytest.raises(NotFoundError):
        artifacts.get("c1", "none.txt")


def test_digest_that_is_none_is_refused(artifacts):
    stored = artifacts.put("c1", "a.txt", "text/plain", b"x")
    for digest in ("../../etc/passwd", "A" * 64, ""):
        with pytest.raises(InvalidInputError):
            content_of(artifacts, replace(stored, digest=digest))


def test_writers_of_one_name_leave_row_and_report_of_the_same_bytes(home, repository):
    class SlowIndex:
        get_campaign = repository.get_campaign
        artifact = repository.artifact
        artifacts = repository.artifacts

        def save_artifacts(self, stored):
            # The shorter the file, the longer its row takes: the last file is not the last row.
            time.sleep(0.06 / stored[0].size_bytes)
            repository.save_artifacts(stored)

    artifacts = FileArtifacts(home, SlowIndex())
    in_threads(6, lambda n: artifacts.put("c1", "same.txt", "text/plain", b"x" * (n + 1)))
    report = (home / "reports/campaigns/c1/same.txt").read_bytes()
    assert content_of(artifacts, artifacts.get("c1", "same.txt")) == report


def test_files_put_together_have_all_their_rows_or_none(artifacts, home):
    files = {"a.txt": ("text/plain", b"a"), "b/c.json": ("application/json", b"{}")}
    artifacts.put_all("c1", files)
    stored = {artifact.name: artifact for artifact in artifacts.list("c1")}
    assert {name: file.media_type for name, file in stored.items()} == {
        "a.txt": "text/plain",
        "b/c.json": "application/json",
    }
    assert content_of(artifacts, stored["b/c.json"]) == b"{}"
    with pytest.raises(InvalidInputError):
        artifacts.put_all("c1", {"d.txt": ("text/plain", b"d"), "../e": ("text/plain", b"e")})
    assert len(artifacts.list("c1")) == 2
    assert not (home / "reports/campaigns/c1/d.txt").exists()


def test_series_of_a_trial_are_stored_as_parquet_by_trial(artifacts):
    result = a_result("t1")
    digests = artifacts.put_series("c1", result)
    stored = {artifact.name: artifact for artifact in artifacts.list("c1")}
    assert digests == {name: artifact.digest for name, artifact in stored.items()}
    equity = content_of(artifacts, stored["series/t1_equity.parquet"])
    assert equity_from_parquet(equity) == (result.equity, result.benchmark_equity)
    fills = content_of(artifacts, stored["series/t1_fills.parquet"])
    assert fills_from_parquet(fills) == result.fills
    assert artifacts.equity("c1", "t1") == result.equity
    with pytest.raises(NotFoundError):
        artifacts.equity("c1", "t2")


def test_trial_that_did_not_succeed_has_no_series(artifacts, home):
    result = replace(a_result(), outcome=Outcome.STRATEGY_ERROR)
    assert artifacts.put_series("c1", result) == {}
    assert files(home) == []


def test_file_left_unfinished_by_a_killed_process_is_swept_when_it_is_old(home, repository):
    FileArtifacts(home, repository).put("c1", "a.txt", "text/plain", b"x")
    folder = next((home / "blobs").iterdir())
    old, young = folder / ".unfinished-old", folder / ".unfinished-young"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    FileArtifacts(home, repository)
    assert young.exists()
    assert not old.exists()


def test_home_that_cannot_be_written_is_a_store_error_with_a_hint(tmp_path, repository):
    home = tmp_path / "home"
    home.mkdir()
    (home / "blobs").symlink_to("/proc/version_nobody_can_make")
    with pytest.raises((StoreError, InvalidInputError)) as caught:
        FileArtifacts(home, repository).put("c1", "a.txt", "text/plain", b"x")
    assert caught.value.hint
