"""The data sets below the home directory, as the rest of the controller sees them."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import final

from stratlab.domain.errors import DataSetCorruptError, DataSetNotFoundError
from stratlab.domain.market import (
    SESSIONS_PER_YEAR,
    DataSet,
    MarketSet,
    PricePanel,
    Tier,
    TierRange,
)
from stratlab.market_data.layout import FOLDER, MANIFEST, TIERS
from stratlab.market_data.manifest import hash_file, list_files, read_manifest
from stratlab.market_data.worlds import world_mount

_MAX_NAME_BYTES = 255  # what a file system takes


@final
class Catalogue:
    """Implements :class:`stratlab.domain.ports.MarketData` over ``<home>/data``."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def list(self) -> Sequence[DataSet]:
        """Return all data sets, sorted by name.

        Raises:
            DataSetCorruptError: A manifest is not what was written.
        """
        return [read_manifest(self._folder / name).data_set for name in self._names()]

    def get(self, name: str) -> DataSet:
        """Return one data set.

        Raises:
            DataSetNotFoundError: No data set has that name.
            DataSetCorruptError: Its manifest is not what was written.
        """
        return read_manifest(self.directory(name)).data_set

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        """Return raw prices of ``market`` from the warm-up to the end of ``tier``.

        Raises:
            DataSetNotFoundError: No such data set, symbol, timeframe or tier.
        """
        from stratlab.market_data.panel import load_panel  # noqa: PLC0415 - keeps start-up fast

        data_set = self.get(market.data_set)
        for symbol in market.symbols:
            if symbol not in data_set.symbols:
                raise _not_found("symbol", symbol, data_set.symbols, data_set.name)
        if market.timeframe != data_set.timeframe:
            raise _not_found("timeframe", market.timeframe, [data_set.timeframe], data_set.name)
        last = _tier_range(data_set, tier).end
        directory = self.directory(data_set.name)
        panel = load_panel(directory, data_set.digest, market.symbols, last, data_set.calendar)
        scales = {name: s for name, s in data_set.scales.items() if name in market.symbols}
        return replace(panel, scales=scales, sessions_per_year=SESSIONS_PER_YEAR[data_set.calendar])

    def mount(self, name: str, tier: Tier, world: str = "") -> Path:
        """Return the directory that a container serving ``tier``, or a world of it, gets.

        Raises:
            DataSetNotFoundError: No such data set, tier or world.
        """
        _tier_range(self.get(name), tier)
        if world:
            return world_mount(self._folder, world)
        return self.directory(name) / TIERS / tier.value

    def verify(self, name: str) -> None:
        """Compare every byte with the manifest.

        Raises:
            DataSetNotFoundError: No data set has that name.
            DataSetCorruptError: A file is missing, added or changed; names it.
        """
        directory = self.directory(name)
        expected = read_manifest(directory).files
        found = set(list_files(directory))
        for file in sorted(found | expected.keys()):
            if file not in found:
                raise _corrupt(directory, file, "is missing")
            if file not in expected:
                raise _corrupt(directory, file, "does not belong to it")
            if (directory / file).is_symlink() or hash_file(directory / file) != expected[file]:
                raise _corrupt(directory, file, "was changed")

    def directory(self, name: str) -> Path:
        """Return the directory of a data set, whatever state it is in.

        Raises:
            DataSetNotFoundError: No data set has that name.
        """
        # One plain folder name, so that none can lead out of the folder.
        plain = name == Path(name).name != "" and name[0] != "." and "\0" not in name
        if not (plain and len(name.encode(errors="surrogateescape")) <= _MAX_NAME_BYTES):
            raise _not_found("data set", name, self._names())
        if not (self._folder / name).is_dir():
            raise _not_found("data set", name, self._names())
        return self._folder / name

    def _names(self) -> Sequence[str]:
        # Builds in progress start with a dot.
        return sorted(
            path.parent.name
            for path in self._folder.glob(f"*/{MANIFEST}")
            if not path.parent.name.startswith(".")
        )


def _tier_range(data_set: DataSet, tier: Tier) -> TierRange:
    if tier not in data_set.tiers:
        known = [other.value for other in data_set.tiers]
        raise _not_found("tier", tier.value, known, data_set.name)
    return data_set.tiers[tier]


def _not_found(
    kind: str, name: str, known: Sequence[str], data_set: str = ""
) -> DataSetNotFoundError:
    owner = f"data set {data_set!r} has no {kind}" if data_set else f"there is no {kind}"
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f"Did you mean {close[0]!r}? " if close else ""
    listed = (
        f"Known: {', '.join(known)}."
        if known
        else "Build one with `make data`, or bring your own: `stratlab data add`."
    )
    return DataSetNotFoundError(
        f"{owner} {name[:100]!r}", hint=guess + listed, data_set=data_set or name, missing=name
    )


def _corrupt(directory: Path, file: str, what: str) -> DataSetCorruptError:
    return DataSetCorruptError(
        f"data set {directory.name!r}: {file} {what}",
        hint=f"Remove {directory} and build the data set again; do not trust results that used it.",
        data_set=directory.name,
        file=file,
    )
