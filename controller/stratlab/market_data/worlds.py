"""A cache of scrambled worlds: tiers with another future, built by a trusted job."""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, Final, final

from stratlab.domain.causality import World
from stratlab.domain.errors import DataSetNotFoundError, DiskFullError
from stratlab.domain.market import DataSet, Tier
from stratlab.domain.trusted_jobs import TrustedJobs
from stratlab.market_data.layout import DIVIDENDS, FOLDER, PRICES, SPLITS, TIERS, WORLDS
from stratlab.market_data.manifest import read_manifest

JOB: Final = "stratlab_runner.worlds.build"
MAX_BYTES: Final = 1 << 30
"""Size of the cache; what is in use stays, however large it is."""

_MAX_ROWS: Final = 3_000_000  # of one job, which has five minutes
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_MOUNT: Final = "tier"
_DESCRIPTION: Final = "tier.json"
_STAGING: Final = ".building-"


def world_mount(folder: Path, name: str) -> Path:
    """Return the directory that a container in a world gets read-only.

    Args:
        folder: Of the data sets.
        name: As :meth:`WorldCache.opened` yields it.

    Raises:
        DataSetNotFoundError: There is no such world, or none any more.
    """
    mount = folder / WORLDS / name / _MOUNT
    if _NAME.fullmatch(name) is None or not mount.is_dir():
        raise DataSetNotFoundError(
            f"there is no world {name[:40]!r}", hint="Run the causality test again.", world=name
        )
    return mount


@final
class WorldCache:
    """Implements :class:`stratlab.domain.causality.Worlds` below ``<home>/data``.

    Worlds are named by all that they depend on: content of the data set, tier, cut, seed and
    sandbox image. The oldest ones make room for new ones. One process a home directory, any
    number of threads.

    Args:
        home: The controller's home directory.
        open_jobs: Opens what runs the part that needs zipline.
        max_bytes: Size of the cache.
    """

    def __init__(
        self,
        home: Path,
        open_jobs: Callable[[], AbstractContextManager[TrustedJobs]],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._data = home / FOLDER
        self._folder = self._data / WORLDS
        self._open_jobs = open_jobs
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._in_use: Counter[str] = Counter()

    @contextmanager
    def opened(self, worlds: Sequence[World]) -> Iterator[Sequence[str]]:
        """Build what is not there, and keep all of them until the block ends.

        Args:
            worlds: Of any data sets and tiers.

        Raises:
            DataSetNotFoundError: No such data set or tier.
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing.
            EngineError: The worlds could not be built.
            DiskFullError: No space is left.
        """
        names = self._hold(worlds) if worlds else []
        try:
            yield names
        finally:
            with self._lock:
                self._in_use.subtract(names)

    def _hold(self, worlds: Sequence[World]) -> list[str]:
        # Whoever builds at the same time waits: what he wants may be what is built.
        with self._lock, self._open_jobs() as jobs:
            image = jobs.image_id()
            data_sets = {name: self._data_set(name) for name in {each.data_set for each in worlds}}
            names = [_name(each, data_sets[each.data_set], image) for each in worlds]
            wanted = dict(zip(names, worlds, strict=True))
            missing = {name: world for name, world in wanted.items() if not self._is_there(name)}
            try:
                self._build(missing, jobs)
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                raise DiskFullError(f"no space left to build worlds in {self._folder}") from error
            self._in_use.update(names)
            self._make_room()
            return names

    def _data_set(self, name: str) -> DataSet:
        directory = self._data / name
        if not directory.is_dir():
            raise DataSetNotFoundError(f"there is no data set {name[:100]!r}", data_set=name)
        return read_manifest(directory).data_set

    def _is_there(self, name: str) -> bool:
        try:
            os.utime(self._folder / name)
        except FileNotFoundError:
            return False
        return True

    def _build(self, missing: Mapping[str, World], jobs: TrustedJobs) -> None:
        def origin(item: tuple[str, World]) -> tuple[str, str]:
            return item[1].data_set, item[1].tier.value

        self._folder.mkdir(mode=0o755, exist_ok=True)
        for left in self._folder.glob(f"{_STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)  # by a controller that was killed
        # Beside each other: a job spends half of its time on starting.
        with ThreadPoolExecutor(len(Tier)) as pool:
            builds = [
                pool.submit(self._build_tier, data_set, Tier(tier), list(group), jobs)
                for (data_set, tier), group in groupby(sorted(missing.items(), key=origin), origin)
            ]
        for build in builds:
            build.result()

    def _build_tier(
        self,
        data_set: str,
        tier: Tier,
        worlds: Sequence[tuple[str, World]],
        jobs: TrustedJobs,
    ) -> None:
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self._folder) as folder:
            staging = Path(folder)
            directory = self._data / data_set
            original = directory / TIERS / tier.value
            source = staging / "input"
            source.mkdir()
            rows = _write_tables(directory, original, source)
            symbols = read_manifest(directory).data_set.symbols
            size = max(1, _MAX_ROWS // max(rows, 1))
            for some in (worlds[at : at + size] for at in range(0, len(worlds), size)):
                recipes = [_recipe(name, world) for name, world in some]
                plan = json.dumps({"symbols": symbols, "worlds": recipes})
                (source / "plan.json").write_text(plan, encoding="utf-8")
                self._run_job(staging, original, [name for name, _ in some], jobs)

    def _run_job(
        self, staging: Path, original: Path, names: Sequence[str], jobs: TrustedJobs
    ) -> None:
        target = staging / "output"
        target.mkdir()
        jobs.run(JOB, read={"/input": staging / "input"}, write={"/output": target})
        for name in names:
            built = target / name
            _age_as(original, built)
            holder = staging / name
            holder.mkdir(mode=0o755)
            built.rename(holder / _MOUNT)
            holder.rename(self._folder / name)
        target.rmdir()

    def _make_room(self) -> None:
        found = sorted(
            (each for each in self._folder.iterdir() if _NAME.fullmatch(each.name)),
            key=lambda each: each.stat().st_mtime_ns,
            reverse=True,
        )
        total = 0
        for world in found:
            total += sum(file.stat().st_size for file in world.rglob("*"))
            if total > self._max_bytes and self._in_use[world.name] <= 0:
                shutil.rmtree(world)


def _name(world: World, data_set: DataSet, image: str) -> str:
    parts: dict[str, Any] = asdict(world) | {"data_set": data_set.digest, "image": image}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _recipe(name: str, world: World) -> dict[str, object]:
    return {
        "name": name,
        "cut": world.cut,
        "seed": world.seed,
        "against": world.against,
        "bars": world.bars,
        "dropped_sessions": world.dropped_sessions,
    }


def _write_tables(directory: Path, original: Path, source: Path) -> int:
    # The image has no parquet reader; pandas prints doubles so that they read back equal.
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    description = json.loads((original / _DESCRIPTION).read_text(encoding="utf-8"))
    last = pd.Timestamp(description["last_session"])
    rows = 0
    for file, time in ((PRICES, "session"), (SPLITS, "session"), (DIVIDENDS, "ex_session")):
        table = pd.read_parquet(directory / file, filters=[(time, "<=", last)])
        table.to_csv((source / file).with_suffix(".csv"), index=False)
        rows = max(rows, len(table))
    shutil.copyfile(original / _DESCRIPTION, source / _DESCRIPTION)
    return rows


def _age_as(original: Path, built: Path) -> None:
    # A file that was written a moment ago would tell that this is a world.
    for path in [*built.rglob("*"), built]:
        twin = original / path.relative_to(built)
        stat = (twin if twin.exists() else original).stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
