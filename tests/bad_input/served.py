"""A real ``stratlab serve`` as a process, and commands against it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from stratlab.cli.output import plain
from stratlab.client import Client

PROGRAM = Path(sys.executable).with_name("stratlab")
FINAL = {"completed", "failed", "cancelled"}


class Stratlab:
    """One home directory with what runs in it.

    Args:
        home: The home directory.
        environment: Added to this process's.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {**os.environ, "STRATLAB_HOME": str(home), **environment}
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.kill()
            self._server.wait()

    def run(self, *arguments: str, timeout: float = 90) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a command; it never shows a traceback."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Return the one JSON document that a command prints."""
        ended, out, err = self.run(*arguments, "--json")
        assert ended == code, (out, err)
        return json.loads(out)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def serve(self, log: Path) -> None:
        """Start a controller and wait until it answers."""
        with log.open("ab") as stream:
            self._server = subprocess.Popen(
                [PROGRAM, "serve"], env=self.environment, stdout=stream, stderr=stream
            )
        with self.client() as client:
            until(client.is_serving, 30)

    def stop(self, timeout: float = 60) -> int:
        """End the controller in order and return its exit code."""
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        return self._server.wait(timeout)

    def client(self) -> Client:
        """Connect with the controller."""
        return Client(f"unix:{self.home / 'stratlab.sock'}")

    def create(self) -> str:
        """Create the campaign whose result the tests compare, and return its id."""
        created = self.json(
            *("campaign", "create", "--data", "us-daily", "--market", "IBM", "--seed", "11"),
            *("--iterations", "1", "--max-seconds", "100000"),
        )
        return str(created["name"]).removeprefix("campaigns/")

    def campaign(self, campaign: str) -> dict[str, Any]:
        """Return a campaign as `show` has it."""
        found: dict[str, Any] = self.json("campaign", "show", campaign)
        return found

    def wait_for(self, campaign: str, *states: str, timeout: float = 90) -> dict[str, Any]:
        """Return the campaign once it is in one of the states, or final."""
        with self.client() as client:

            def state() -> str:
                return str(plain(client.get_campaign(campaign))["state"])

            until(lambda: state() in FINAL.union(states), timeout)
        return self.campaign(campaign)


def until(holds: Callable[[], bool], timeout: float) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def new_home(folder: Path, data: Path) -> Path:
    """Make a home directory that shares a data folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "data").symlink_to(data)
    return folder
