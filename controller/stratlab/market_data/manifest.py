"""The manifest of a data set: its description and the sha256 of every file."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, final

from stratlab.domain.errors import DataSetCorruptError
from stratlab.domain.market import DataSet, Scale, Tier, TierRange
from stratlab.market_data.layout import MANIFEST

FORMAT = 1


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What a data set directory must contain, byte for byte.

    Attributes:
        data_set: The description.
        files: Path inside the directory (with ``/``) -> sha256, hex; all files but the manifest.
    """

    data_set: DataSet
    files: Mapping[str, str]


def write_manifest(directory: Path, data_set: DataSet) -> Manifest:
    """Hash every file of a finished directory and write its manifest.

    Args:
        directory: The data set, complete but for the manifest.
        data_set: Its description.
    """
    files = {name: hash_file(directory / name) for name in list_files(directory)}
    manifest = Manifest(data_set, files)
    (directory / MANIFEST).write_bytes(_serialise(manifest))
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Read and check a manifest; touches no other file.

    Args:
        directory: The data set.

    Raises:
        DataSetCorruptError: The manifest is missing or is not what was written.
    """
    path = directory / MANIFEST
    try:
        content = path.read_bytes()
        document = json.loads(content)
        body = document["data_set"]
        manifest = Manifest(
            DataSet(
                name=body["name"],
                digest=body["digest"],
                symbols=tuple(body["symbols"]),
                timeframe=body["timeframe"],
                calendar=body["calendar"],
                warm_up_start=date.fromisoformat(body["warm_up_start"]),
                tiers={
                    Tier(name): TierRange(date.fromisoformat(start), date.fromisoformat(end))
                    for name, (start, end) in body["tiers"].items()
                },
                provenance=body["provenance"],
                caveats=tuple(body["caveats"]),
                scales={name: Scale(*pair) for name, pair in body.get("scales", {}).items()},
            ),
            dict(document["files"]),
        )
        intact = document["format"] == FORMAT and _serialise(manifest) == content
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _changed(directory) from error
    if not intact:
        raise _changed(directory)
    return manifest


def list_files(directory: Path) -> Iterator[str]:
    """Yield every path below ``directory`` that is no directory, sorted, but for the manifest."""
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name != MANIFEST:
            yield name


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _serialise(manifest: Manifest) -> bytes:
    data_set = manifest.data_set
    document: dict[str, Any] = {
        "format": FORMAT,
        "data_set": {
            "name": data_set.name,
            "digest": data_set.digest,
            "symbols": data_set.symbols,
            "timeframe": data_set.timeframe,
            "calendar": data_set.calendar,
            "warm_up_start": data_set.warm_up_start.isoformat(),
            "tiers": {
                tier.value: [span.start.isoformat(), span.end.isoformat()]
                for tier, span in data_set.tiers.items()
            },
            "provenance": data_set.provenance,
            "caveats": data_set.caveats,
        },
        "files": dict(manifest.files),
    }
    if data_set.scales:
        document["data_set"]["scales"] = {
            name: [scale.price, scale.volume] for name, scale in data_set.scales.items()
        }
    # The manifest's own checksum makes every one of its bytes count too.
    body = json.dumps(document, sort_keys=True)
    document["checksum"] = hashlib.sha256(body.encode()).hexdigest()
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _changed(directory: Path) -> DataSetCorruptError:
    return DataSetCorruptError(
        f"data set {directory.name!r}: {MANIFEST} is missing or not what was written",
        hint=f"Remove {directory} and build the data set again.",
        data_set=directory.name,
        file=MANIFEST,
    )
