"""kill -9 of a real controller: real containers, real data, the command line as users have it."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stratlab.client import Client
from stratlab.sandbox import installation_id

ITERATIONS_BY_SIZE = {False: 2, True: 20}
KILLS_BY_SIZE = {False: 3, True: 10}
READY_SECONDS = 60
# With the causality test of what passes the gates.
SECONDS_AN_ITERATION = 16
PROGRAM = Path(sys.executable).with_name("stratlab")


class Controller:
    """`stratlab serve` on a home directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "STRATLAB_HOME": str(home)}
        self._process: subprocess.Popen[bytes] | None = None

    def stratlab(self, *arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [PROGRAM, *arguments, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self) -> None:
        with (self.home / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_SECONDS
        with Client(f"unix:{self.home / 'stratlab.sock'}") as client:
            while not client.is_serving():
                assert self._process.poll() is None, (self.home / "serve.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Let it go in order: containers that wait for work end with it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def state(self, name: str) -> str:
        return str(self.stratlab("campaign", "show", name)["state"])


def run_campaign(home: Path, iterations: int, kills: int, moments: random.Random) -> str:
    controller = Controller(home)
    controller.start()
    created = controller.stratlab(
        "campaign", "create", "--name", "kill", "--data", "us-daily", "--market", "IBM",
        "--iterations", str(iterations), "--max-seconds", "100000", "--seed", "11",
    )  # fmt: skip
    name = str(created["name"])
    try:
        for _ in range(kills):
            time.sleep(moments.uniform(0.5, SECONDS_AN_ITERATION * iterations / kills))
            controller.kill()
            controller.start()
        while controller.state(name) not in {"completed", "failed", "paused"}:
            time.sleep(1)
        campaign = controller.stratlab("campaign", "show", name)
        assert campaign["state"] == "completed"
        assert controller.stratlab("audit", "verify")
        return str(campaign["result_hash"])
    finally:
        controller.end()


@pytest.mark.docker
@pytest.mark.load
@pytest.mark.timeout(1800)
def test_campaign_in_containers_survives_kills_with_the_same_result(
    us_daily_home: Path, tmp_path: Path, full_size: bool
) -> None:
    iterations, kills = ITERATIONS_BY_SIZE[full_size], KILLS_BY_SIZE[full_size]
    moments = random.Random(3)
    hashes = []
    for name, count in (("plain", 0), ("killed", kills)):
        home = tmp_path / name
        home.mkdir(mode=0o700)
        (home / "data").symlink_to(us_daily_home / "data")
        hashes.append(run_campaign(home, iterations, count, moments))
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 64
    label = f"org.stratlab.installation={installation_id(tmp_path / 'killed')}"
    left = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label={label}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert not left.stdout
