"""Builds a data set's directory: parquet files for the host, mounts by a trusted job, manifest."""

import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from stratlab.domain.errors import AlreadyExistsError, DiskFullError
from stratlab.domain.market import DataSet
from stratlab.domain.trusted_jobs import TrustedJobs
from stratlab.market_data.content import Content
from stratlab.market_data.layout import DIVIDENDS, EMPTY_SESSIONS, FOLDER, PRICES, SPLITS, TIERS
from stratlab.market_data.manifest import read_manifest, write_manifest

JOB = "stratlab_runner.build_tiers"


def build_data_set(
    home: Path,
    name: str,
    content: Content,
    jobs: TrustedJobs,
    *,
    provenance: str,
    caveats: tuple[str, ...] = (),
) -> DataSet:
    """Build a data set, or return the one that exists with the same content.

    All or nothing: the directory appears under its name by one rename, after its last byte was
    written. A build that was killed leaves a hidden directory, which the next one removes.

    Args:
        home: The controller's home directory.
        name: What users will call the data set.
        content: Its canonical content.
        jobs: Runs the part that needs zipline.
        provenance: Where the content came from and under which licence.
        caveats: What a reader of any result must know.

    Raises:
        AlreadyExistsError: The name is taken by other content; data sets never change.
        EngineUnavailableError: No engine answers.
        SandboxNotReadyError: The image is missing.
        EngineError: The job refused the content, for example for its calendar.
        DiskFullError: No space is left; nothing remains of the attempt.
    """
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    sessions = content.sessions
    data_set = DataSet(
        name=name,
        digest=content.digest(),
        symbols=content.symbols,
        timeframe=content.timeframe,
        calendar=content.calendar,
        warm_up_start=sessions[0],
        tiers=content.tiers,
        provenance=provenance,
        caveats=caveats,
        scales=content.scales,
    )
    with _exclusive(folder, name):
        if target.exists():
            return _existing(target, data_set)
        staging = folder / f".{name}.building"
        shutil.rmtree(staging, ignore_errors=True)
        try:
            _write(staging, data_set, content, jobs)
            (staging / "done").rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise DiskFullError(f"no space left to build data set {name!r} in {folder}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return data_set


def _existing(target: Path, wanted: DataSet) -> DataSet:
    existing = read_manifest(target).data_set
    if existing.digest != wanted.digest:
        raise AlreadyExistsError(
            f"data set {wanted.name!r} exists with other content (digest {existing.digest[:12]}, "
            f"not {wanted.digest[:12]})",
            hint=f"Use another name, or `stratlab data remove {wanted.name}` first.",
            data_set=wanted.name,
        )
    return existing


def _write(staging: Path, data_set: DataSet, content: Content, jobs: TrustedJobs) -> None:
    source, done = staging / "input", staging / "done"
    for folder in (source, done / TIERS):
        folder.mkdir(parents=True)
    plan = {
        "data_set": data_set.name,
        "digest": data_set.digest,
        "calendar": data_set.calendar,
        "timeframe": data_set.timeframe,
        "tiers": {tier.value: span.end.isoformat() for tier, span in data_set.tiers.items()},
        "empty_sessions": [day.isoformat() for day in content.empty_sessions],
    }
    (source / "plan.json").write_text(json.dumps(plan, sort_keys=True), encoding="utf-8")
    for table, file in (
        (content.prices, PRICES),
        (content.splits, SPLITS),
        (content.dividends, DIVIDENDS),
    ):
        # The image has no parquet reader; pandas prints doubles so that they read back equal.
        table.to_csv((source / file).with_suffix(".csv"), index=False)
        table.to_parquet(done / file, index=False)
    if content.empty_sessions:
        _write_sessions(done / EMPTY_SESSIONS, content.empty_sessions)
    jobs.run(JOB, read={"/input": source}, write={"/output": done / TIERS})
    write_manifest(done, data_set)


def _write_sessions(path: Path, sessions: tuple[date, ...]) -> None:
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    pd.DataFrame({"session": pd.to_datetime(list(sessions))}).to_parquet(path, index=False)


@contextmanager
def _exclusive(folder: Path, name: str) -> Iterator[None]:
    # Two builders of one data set take turns; the kernel frees the lock of one that is killed.
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
