"""One server for all client tests, and one program per language."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.clients.lab_server import LabServer, serve
from tests.clients.languages import LANGUAGES

SECONDS = 120


@dataclass(frozen=True)
class Program:
    """An example program with a token and a certificate that the server accepts."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def output(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def with_settings(self, **settings: Path) -> "Program":
        changed = {f"STRATLAB_CLIENT__{name.upper()}": str(path) for name, path in settings.items()}
        return replace(self, environment=self.environment | changed)


@pytest.fixture(scope="session")
def server(us_daily_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    home = tmp_path_factory.mktemp("clients-home")
    (home / "data").symlink_to(us_daily_home / "data")
    with serve(home, tmp_path_factory.mktemp("clients-server")) as server:
        yield server


@pytest.fixture(scope="session", params=list(LANGUAGES))
def program(request: pytest.FixtureRequest, server: LabServer) -> Program:
    language = LANGUAGES[request.param]
    if missing := language.missing():
        reason = f"no {', '.join(missing)} (run `make clients`)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Program(command=tuple(language.command()), environment=server.environment)
