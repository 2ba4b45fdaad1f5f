"""The controller in a container, as the compose file starts it, worked from the host."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deployment.compose import run_flags, service

from stratlab.client import Client

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("stratlab")
ENGINE_SOCKET = Path("/var/run/docker.sock")
READY_SECONDS = 90
# What passes the gates would be examined, which takes long and is not what is tested here.
NOBODY = ("--gate", "min_sharpe_ratio=99")


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


class Deployment:
    """A container of the controller, and what a user on the host does with it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.name = f"stratlab-deployment-{secrets.token_hex(4)}"
        self.address = f"unix:{home / 'stratlab.sock'}"
        owner = home.stat()
        variables = {
            "DOCKER_GID": str(ENGINE_SOCKET.stat().st_gid),
            "DOCKER_SOCKET": str(ENGINE_SOCKET),
            "STRATLAB_HOST_HOME": str(home),
            "STRATLAB_UID": str(owner.st_uid),
            "STRATLAB_GID": str(owner.st_gid),
        }
        self.flags = run_flags(service(variables))

    def up(self) -> None:
        docker("run", "--detach", "--name", self.name, *self.flags)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with Client(self.address) as client:
            while not (client.is_serving() and client.is_sandbox_ready()):
                assert time.monotonic() < deadline, self.logs()
                time.sleep(0.1)

    def stratlab(self, *arguments: str) -> dict[str, object]:
        """Run the program on the host against the socket in the volume."""
        done = subprocess.run(
            [PROGRAM, "--address", self.address, *arguments, "--json"],
            env={**os.environ, "STRATLAB_HOME": str(self.home / "none")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stderr + self.logs()
        return json.loads(done.stdout.splitlines()[-1])

    def inside(self, *arguments: str) -> str:
        return docker("exec", self.name, "stratlab", *arguments)

    def logs(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.name], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    def down(self) -> None:
        docker("rm", "--force", self.name, check=False)


@pytest.fixture(scope="module")
def image() -> None:
    """The controller image, built from the tree as it is."""
    done = subprocess.run(
        [ROOT / "docker/controller-image.sh"],
        capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def deployment(image: None, tmp_path: Path) -> Iterator[Deployment]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(home, 1000, 1000)
    deployment = Deployment(home)
    try:
        yield deployment
    finally:
        deployment.down()


@pytest.mark.docker
@pytest.mark.load
@pytest.mark.timeout(1200)
def test_controller_in_a_container_serves_the_host_and_survives_stop_and_kill(
    deployment: Deployment,
) -> None:
    deployment.up()
    deployment.wait_until_ready()
    deployment.inside("data", "build", "us-daily")
    created = deployment.stratlab(
        "campaign", "create", "--name", "contained", "--data", "us-daily", "--market", "IBM",
        "--iterations", "1", "--seed", "5", "--max-seconds", "600", *NOBODY,
    )  # fmt: skip
    name = str(created["name"])
    with Client(deployment.address) as client:
        for _ in client.watch_campaign(name):
            pass
    campaign = deployment.stratlab("campaign", "show", name)
    assert campaign["state"] == "completed", deployment.logs()
    assert len(str(campaign["result_hash"])) == 64

    began = time.monotonic()
    docker("stop", deployment.name)
    assert time.monotonic() - began < 20
    assert docker("inspect", "-f", "{{.State.ExitCode}}", deployment.name) == "0"
    assert not (deployment.home / "stratlab.sock").exists()

    docker("start", deployment.name)
    deployment.wait_until_ready()
    assert deployment.stratlab("campaign", "show", name) == campaign
    assert deployment.inside("health", "--sandbox")

    # A campaign that a killed controller leaves goes on, its containers do not.
    second = deployment.stratlab(
        "campaign", "create", "--name", "killed", "--data", "us-daily",
        "--points", "8", "--iterations", "2", "--seed", "6", "--max-seconds", "600", *NOBODY,
    )  # fmt: skip
    with Client(deployment.address) as client:
        for item in client.watch_campaign(str(second["name"]), include_progress=True):
            if item.HasField("progress"):
                break
    docker("kill", "--signal", "KILL", deployment.name)
    label = f"label=org.stratlab.installation={(deployment.home / 'installation-id').read_text()}"
    orphans = docker("ps", "-q", "--filter", label).split()
    assert orphans
    docker("start", deployment.name)
    deployment.wait_until_ready()
    assert not set(orphans) & set(docker("ps", "-q", "--filter", label).split())
    with Client(deployment.address) as client:
        for _ in client.watch_campaign(str(second["name"])):
            pass
    assert deployment.stratlab("campaign", "show", str(second["name"]))["state"] == "completed"
    docker("stop", deployment.name)
    assert not docker("ps", "-aq", "--filter", label)
    assert list((deployment.home / "run").iterdir()) == []


@pytest.mark.docker
def test_controller_with_the_wrong_host_home_says_what_to_set(
    deployment: Deployment, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    deployment.flags = [
        f"--env=STRATLAB_SANDBOX__HOST_HOME={wrong}" if "HOST_HOME=" in flag else flag
        for flag in deployment.flags
    ]
    deployment.up()
    deadline = time.monotonic() + READY_SECONDS
    while "sandbox not ready" not in deployment.logs():
        assert time.monotonic() < deadline, deployment.logs()
        time.sleep(0.1)
    assert "sandbox.host_home" in deployment.logs()
    with Client(deployment.address) as client:
        assert client.is_serving()
        assert not client.is_sandbox_ready()


@pytest.mark.docker
def test_image_runs_as_nobody_in_particular_and_is_compiled(image: None) -> None:
    flags = ["run", "--rm", "--network=none", "--read-only", "--entrypoint=python"]
    program = (
        "import os, pathlib, stratlab.store.schema as m;"
        "print(os.geteuid(), pathlib.Path(m.__cached__).is_file())"
    )
    tag = service({"DOCKER_GID": "0"})["image"]
    assert docker(*flags, tag, "-P", "-c", program) == "1000 True"
