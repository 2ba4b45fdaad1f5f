"""docker/gvisor.sh, with programs that answer what the test wants."""

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "gvisor.sh"
DOCKER = """
if grep -q runsc-plain "$STRATLAB_DOCKER_CONFIG" 2>/dev/null
then echo "runc runsc runsc-plain"
else echo runc
fi"""


@pytest.fixture
def engine(tmp_path: Path) -> "Engine":
    return Engine(tmp_path)


class Engine:
    """An engine that reads its runtimes from the configuration, and runs as a sleeping process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "etc" / "daemon.json"
        self.fakes = folder / "fakes"
        self.fakes.mkdir()
        self.program("docker", DOCKER)
        self.program("runsc", "echo runsc version 1.0")
        self.program("id", "echo 0")
        self.program("pidof", f"cat {folder}/pid")

    def program(self, name: str, text: str) -> None:
        path = self.fakes / name
        path.write_text(f'#!/bin/bash\necho {name} "$@" >>{self.folder}/calls\n{text}\n')
        path.chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        # HUP reaches a process of our own.
        with subprocess.Popen(["/bin/sleep", "60"]) as process:
            (self.folder / "pid").write_text(str(process.pid))
            done = subprocess.run(
                [str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False,
                env={
                    "PATH": f"{self.fakes}:{os.environ['PATH']}",
                    "STRATLAB_DOCKER_CONFIG": str(self.config),
                },
            )  # fmt: skip
            self.was_asked_to_reload = process.poll() is not None
            process.kill()
        return done


def test_runtimes_are_added_and_the_engine_asked_to_read_them(engine: Engine) -> None:
    engine.config.parent.mkdir()
    mine = {"log-driver": "local", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}
    engine.config.write_text(json.dumps(mine))
    done = engine.run()
    assert done.returncode == 0, done.stderr
    config = json.loads(engine.config.read_text())
    assert config["log-driver"] == "local"
    assert set(config["runtimes"]) == {"crun", "runsc", "runsc-plain"}
    arguments = {name: config["runtimes"][name]["runtimeArgs"] for name in ("runsc", "runsc-plain")}
    assert arguments["runsc"] == [*arguments["runsc-plain"], "--oci-seccomp"]
    assert {"--network=none", "--ignore-cgroups"} <= set(arguments["runsc"])
    assert engine.was_asked_to_reload


def test_second_run_changes_nothing(engine: Engine) -> None:
    assert engine.run().returncode == 0
    before = engine.config.read_text()
    done = engine.run()
    assert done.returncode == 0
    assert engine.config.read_text() == before
    assert not engine.was_asked_to_reload


def test_runtime_that_somebody_registered_stays_as_it_is(engine: Engine) -> None:
    engine.config.parent.mkdir()
    own = {"path": "/opt/runsc", "runtimeArgs": ["--platform=kvm"]}
    engine.config.write_text(json.dumps({"runtimes": {"runsc": own}}))
    assert engine.run().returncode == 0
    assert json.loads(engine.config.read_text())["runtimes"]["runsc"] == own


def test_configuration_that_is_no_json_is_left_alone(engine: Engine) -> None:
    engine.config.parent.mkdir()
    engine.config.write_text("{ broken")
    assert engine.run().returncode != 0
    assert engine.config.read_text() == "{ broken"
    assert not engine.was_asked_to_reload


def test_without_root_it_says_what_to_run(engine: Engine) -> None:
    engine.program("id", "echo 1000")
    done = engine.run()
    assert done.returncode == 1
    assert "sudo" in done.stderr
    assert not engine.config.exists()


def test_without_an_engine_it_says_so(engine: Engine) -> None:
    engine.program("docker", "exit 1")
    done = engine.run()
    assert done.returncode == 1
    assert "docker/engine.sh" in done.stderr
