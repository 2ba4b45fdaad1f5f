"""A real controller without an engine, over a small data set."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.market_data.helpers import DescriptionJobs, small_content

from stratlab.cli.hosting import in_thread, serve_lab
from stratlab.cli.logs import logging_to_home
from stratlab.cli.main import main
from stratlab.market_data.builder import build_data_set
from stratlab.settings import SandboxSettings, Settings


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Served:
    """A controller with its home directory and address."""

    home: Path
    address: str

    def rows(self) -> list[str]:
        """Return all that is stored."""
        with closing(sqlite3.connect(self.home / "stratlab.db")) as connection:
            return list(connection.iterdump())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    build_data_set(home, "small", small_content(), DescriptionJobs(), provenance="made up")
    settings = Settings(home=home, sandbox=SandboxSettings(engine=f"unix://{home}/none.sock"))
    # As `serve` does it: what is logged must not be on stdout.
    with logging_to_home(home), in_thread(serve_lab(settings, settings.address)) as address:
        yield Served(home, address)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """The program in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = int(main(arguments))
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Ended(code, printed.out, printed.err)

    return run
