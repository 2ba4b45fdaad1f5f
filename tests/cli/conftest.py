"""A home directory, a served lab in it, and the program run inside the test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.fake_lab import ServedLab, serve_in_thread

from stratlab.cli.main import main


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("STRATLAB_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def served(home: Path) -> Iterator[ServedLab]:
    with serve_in_thread(home) as served:
        yield served


@pytest.fixture
def stratlab(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = int(main(arguments))
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Ended(code, printed.out, printed.err)

    return run
