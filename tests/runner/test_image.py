"""What is in the sandbox image, and what must not be."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.runner.conftest import run_inside
from tests.runner.member import IMAGE, ROOT, docker

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def contents() -> dict[str, Any]:
    return json.loads(run_inside("inspect_image.py", mounts={}))


def test_image_has_no_setuid_file(contents: dict[str, Any]) -> None:
    assert contents["setuid"] == []


def test_image_has_no_program_but_the_interpreter(contents: dict[str, Any]) -> None:
    assert [Path(program).name for program in contents["programs"]] == ["python3.11"]


def test_image_has_no_installer(contents: dict[str, Any]) -> None:
    assert contents["importable"] == []


def test_image_has_no_file_that_everybody_may_write(contents: dict[str, Any]) -> None:
    assert contents["writable"] == []


def test_image_is_byte_compiled(contents: dict[str, Any]) -> None:
    assert contents["python"] == [3, 11]
    assert contents["sources"] > 3000
    assert contents["not_compiled"] == []


def test_image_default_user_and_entry_point() -> None:
    config = json.loads(docker("image", "inspect", "--format={{json .Config}}", IMAGE))
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["python", "-P", "-m", "stratlab_runner"]
    assert "PYTHONHASHSEED=0" in config["Env"]
    assert len(config["Labels"]["org.stratlab.inputs"]) == 64


def test_image_stays_below_600_mb() -> None:
    assert int(docker("image", "inspect", "--format={{.Size}}", IMAGE)) < 600e6


def test_image_started_by_hand_runs_nothing() -> None:
    result = subprocess.run(
        ["docker", "run", "--rm", "--network=none", IMAGE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert "needs no-new-privileges, dropped capabilities, a read-only root" in result.stderr


def test_image_script_with_a_current_image_builds_nothing() -> None:
    before = docker("image", "inspect", "--format={{.Id}}", IMAGE)
    result = subprocess.run(
        [str(ROOT / "docker/image.sh")], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"{IMAGE} is current" in result.stdout
    assert docker("image", "inspect", "--format={{.Id}}", IMAGE) == before
