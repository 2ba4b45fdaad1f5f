"""Finds and reads the files of an import, within limits, as tables of whatever they hold."""

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stratlab.domain.errors import InvalidInputError, LimitExceededError

MAX_FILES = 5_000
MAX_BYTES = 4 * 2**30
MAX_ROWS = 5_000_000
MAX_LINE = 65_536

_DELIMITERS = ",;\t|"
_SUFFIXES = {".csv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
ACTIONS = ("splits", "dividends")
"""File names (without suffix) that hold corporate actions instead of prices."""


@final
class FileFormat(StrEnum):
    """How files are stored."""

    AUTO = "auto"
    CSV = "csv"
    PARQUET = "parquet"


@final
@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of an import.

    Attributes:
        path: Where it is.
        name: What messages call it.
        stem: The name without suffixes: the symbol where no column says it.
        format: csv or parquet.
    """

    path: Path
    name: str
    stem: str
    format: FileFormat

    def row_name(self, row: int) -> str:
        """Return how a user finds the row: a CSV's line, or a table's row from 1."""
        return f"line {row + 2}" if self.format is FileFormat.CSV else f"row {row + 1}"


def find_files(path: Path, wanted: FileFormat) -> tuple[SourceFile, ...]:
    """Return the files of a directory, or the one file, sorted by name.

    Args:
        path: A directory (its files, not those of folders in it) or a file.
        wanted: The format; ``auto`` goes by the suffix and refuses a mixture.

    Raises:
        InvalidInputError: There is nothing to read, or files of both formats.
        LimitExceededError: There are too many files or bytes.
    """
    if not path.exists():
        raise InvalidInputError(f"there is no {path}", hint="Give a CSV or Parquet file or folder.")
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [
        file
        for candidate in paths
        if candidate.is_file() and not candidate.name.startswith((".", "_"))
        if (file := _source(candidate)) is not None and wanted in {FileFormat.AUTO, file.format}
    ]
    if not any(file.stem.lower() not in ACTIONS for file in files):
        raise InvalidInputError(
            f"{path} holds no {'CSV or Parquet' if wanted is FileFormat.AUTO else wanted} file",
            hint=f"Files end with {', '.join(_SUFFIXES)} (CSV may be compressed: .csv.gz).",
        )
    if len({file.format for file in files}) > 1:
        raise InvalidInputError(
            f"{path} holds CSV and Parquet files", hint="Choose with --format csv or parquet."
        )
    if len(files) > MAX_FILES:
        raise LimitExceededError(
            f"{path} holds {len(files)} files, the limit is {MAX_FILES}",
            hint="Put them into one long table with a column for the symbol.",
        )
    size = sum(file.path.stat().st_size for file in files)
    if size > MAX_BYTES:
        raise LimitExceededError(
            f"{path} holds {size} bytes, the limit is {MAX_BYTES}",
            hint="Import fewer symbols, or a shorter time.",
        )
    return tuple(files)


def read_tables(files: Sequence[SourceFile]) -> Iterator[tuple[SourceFile, pd.DataFrame]]:
    """Yield each file with its rows; the index counts rows of the file from 0.

    Raises:
        InvalidInputError: A file cannot be read; names it and, where known, the line.
        LimitExceededError: The rows are too many.
    """
    rows = 0
    for file in files:
        table = _read_csv(file) if file.format is FileFormat.CSV else _read_parquet(file, rows)
        rows += len(table)
        if rows > MAX_ROWS:
            raise _too_many_rows(file)
        table.columns = [str(name).strip() for name in table.columns]
        if table.columns.has_duplicates:
            twice = table.columns[table.columns.duplicated()][0]
            raise InvalidInputError(f"{file.name} has two columns {twice!r}", file=file.name)
        yield file, table


def digest_files(files: Sequence[SourceFile]) -> str:
    """Return the sha256 over names and contents, hex."""
    whole = hashlib.sha256()
    for file in files:
        with file.path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256")
        whole.update(file.name.encode() + b"\0" + content.digest())
    return whole.hexdigest()


def _source(path: Path) -> SourceFile | None:
    name = path.name.lower()
    name = name.removesuffix(".gz")
    for suffix, kind in _SUFFIXES.items():
        if name.endswith(suffix):
            stem = path.name[: len(name) - len(suffix)]
            return SourceFile(path, path.name, stem, FileFormat(kind))
    return None


def _read_csv(file: SourceFile) -> pd.DataFrame:
    try:
        return pd.read_csv(
            file.path,
            sep=_delimiter(file),
            encoding="utf-8-sig",
            float_precision="round_trip",
            # Lines keep their numbers; "NA" may be a symbol.
            skip_blank_lines=False,
            keep_default_na=False,
            na_values=["", "NaN", "nan", "null", "NULL", "None", "N/A", "#N/A", "-"],
            index_col=False,
            low_memory=False,
            nrows=MAX_ROWS + 1,
        )
    except UnicodeDecodeError as error:
        raise _unreadable(file, f"is not UTF-8 text (byte {error.start})") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        text = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise _unreadable(file, f"is not a CSV table: {text}") from None
    except (OSError, EOFError) as error:
        raise _unreadable(file, f"cannot be read: {error}") from None


def _delimiter(file: SourceFile) -> str:
    packed = file.name.lower().endswith(".gz")
    with gzip.open(file.path) if packed else file.path.open("rb") as stream:
        line = stream.readline(MAX_LINE).decode("utf-8-sig")
    return max(_DELIMITERS, key=line.count)


def _read_parquet(file: SourceFile, before: int) -> pd.DataFrame:
    try:
        with pq.ParquetFile(file.path) as opened:
            if before + opened.metadata.num_rows > MAX_ROWS:
                raise _too_many_rows(file)
            table = opened.read().to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, f"is not a Parquet file: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):
        # Tables written by pandas often keep the days in the index.
        unnamed = isinstance(table.index, pd.DatetimeIndex) and table.index.name is None
        table = table.rename_axis("date" if unnamed else table.index.names).reset_index()
    return pd.DataFrame(table).reset_index(drop=True)


def _unreadable(file: SourceFile, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"{file.name} {what[:300]}", hint="Correct the file and try again.", file=file.name
    )


def _too_many_rows(file: SourceFile) -> LimitExceededError:
    return LimitExceededError(
        f"more than {MAX_ROWS} rows (reached in {file.name})",
        hint="Import fewer symbols, or a shorter time.",
    )
