"""Finding and reading files, within limits."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from tests.market_data.imports.builders import inspected, sessions, walk, write_folder

from stratlab.domain.errors import InvalidInputError, LimitExceededError
from stratlab.market_data.imports import files
from stratlab.market_data.imports.files import FileFormat, find_files, read_tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables = {name: walk(sessions(), seed=number) for number, name in enumerate(["AAA", "BBB"])}
    return write_folder(tmp_path / "prices", tables)


def test_csv_parquet_and_packed_files_give_one_digest(folder: Path, tmp_path: Path) -> None:
    plain = inspected(folder).require_content().digest()
    packed, table, indexed, semicolons = (tmp_path / n for n in ("packed", "pq", "indexed", "semi"))
    parts = []
    for directory in (packed, table, indexed, semicolons):
        directory.mkdir()
    for path in sorted(folder.iterdir()):
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        frame = pd.read_csv(path)
        frame.to_csv(semicolons / path.name, index=False, sep=";")
        dated = frame.assign(Date=pd.to_datetime(frame["Date"]))
        dated.set_index("Date").to_parquet(indexed / f"{path.stem}.parquet")
        parts.append(dated.assign(Ticker=path.stem))
    long = pd.concat(parts).sample(frac=1, random_state=3)
    long.to_parquet(table / "all.parquet", index=False)
    long.to_csv(tmp_path / "long.csv", index=False)
    for other in (packed, table, indexed, semicolons, tmp_path / "long.csv"):
        assert inspected(other).require_content().digest() == plain, other


def test_hidden_and_strange_files_are_left_alone(folder: Path) -> None:
    for name in (".hidden.csv", "_private.csv", "README.md", "notes.xlsx"):
        (folder / name).write_text("nothing")
    (folder / "deeper.csv").mkdir()
    assert [file.name for file in find_files(folder, FileFormat.AUTO)] == ["AAA.csv", "BBB.csv"]


def test_both_formats_need_a_choice(folder: Path) -> None:
    pd.read_csv(folder / "AAA.csv").to_parquet(folder / "AAA.parquet")
    with pytest.raises(InvalidInputError, match="CSV and Parquet") as caught:
        find_files(folder, FileFormat.AUTO)
    assert "--format" in caught.value.hint
    (only,) = find_files(folder, FileFormat.PARQUET)
    assert only.name == "AAA.parquet"


@pytest.mark.parametrize("wanted", list(FileFormat))
def test_nothing_to_read_is_an_error(tmp_path: Path, wanted: FileFormat) -> None:
    with pytest.raises(InvalidInputError, match=r"no .* file"):
        find_files(tmp_path, wanted)
    with pytest.raises(InvalidInputError, match="there is no"):
        find_files(tmp_path / "nowhere", wanted)


def test_limits_refuse_before_they_are_reached(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_files(folder, FileFormat.AUTO)
    for name, value, complaint in (
        ("MAX_FILES", 1, "2 files, the limit is 1"),
        ("MAX_BYTES", 1000, "the limit is 1000"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, value)
            with pytest.raises(LimitExceededError, match=complaint):
                find_files(folder, FileFormat.AUTO)
    monkeypatch.setattr(files, "MAX_ROWS", 400)
    with pytest.raises(LimitExceededError, match="more than 400 rows"):
        list(read_tables(found))


def test_symbols_are_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratlab.market_data.imports.importer.MAX_SYMBOLS", 1)
    with pytest.raises(LimitExceededError, match="2 symbols"):
        inspected(folder)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.csv", b"", "not a CSV table"),
        ("a.csv", b"Date,Open\n\xff\xfe,1\n", "not UTF-8"),
        ("a.csv", b"Date,Open\n1,2\n1,2,3,4\n", "line 3"),
        ("a.csv", b"Date,Date,Open\n1,2,3\n", "column"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.parquet", b"no parquet", "not a Parquet file"),
        ("a.csv", b"\0\0\0\0\n\0", "a.csv"),
        ("a.csv", b"Date,Open,High,Low,Close\n", "no rows"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=complaint):
        inspected(tmp_path)
