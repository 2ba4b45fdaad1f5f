"""The compose file says what docs/deployment.md promises; the plugin itself is not needed."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.deployment.compose import COMPOSE, MissingVariableError, run_flags, service

from stratlab.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = {"DOCKER_GID": "996", "STRATLAB_HOST_HOME": "/srv/lab"}


def test_group_of_the_socket_must_be_given() -> None:
    with pytest.raises(MissingVariableError, match="DOCKER_GID"):
        service({})


def test_image_is_the_one_that_this_version_builds() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert service(VARIABLES)["image"] == f"stratlab-controller:{version}"


def test_home_is_mounted_from_where_the_controller_is_told(monkeypatch) -> None:
    chosen = service(VARIABLES)
    home, socket = chosen["volumes"]
    dockerfile = (ROOT / "docker/controller.Dockerfile").read_text()
    assert f"STRATLAB_HOME={home['target']}" in dockerfile
    for name, value in chosen["environment"].items():
        monkeypatch.setenv(name, value)
    assert Settings().sandbox.host_home == home["source"] == "/srv/lab"
    assert home["bind"] == {"create_host_path": False}
    assert socket["target"] == "/var/run/docker.sock"
    assert [mount["type"] for mount in chosen["volumes"]] == ["bind", "bind"]


def test_container_is_hardened_apart_from_the_socket() -> None:
    chosen = service(VARIABLES)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", chosen["user"])
    assert chosen["group_add"] == ["996"] or chosen["group_add"] == [996]
    assert chosen["network_mode"] == "none"
    assert chosen["read_only"] is True
    assert chosen["cap_drop"] == ["ALL"]
    assert chosen["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "ports", "pid", "ipc"} & set(chosen)


def test_stop_leaves_time_to_drain() -> None:
    chosen = service(VARIABLES)
    assert float(chosen["stop_grace_period"].removesuffix("s")) > Settings().server.drain_seconds
    assert chosen["init"] is True


def test_every_key_of_the_file_has_a_flag_of_docker_run() -> None:
    flags = run_flags(service(VARIABLES))
    assert "--user=1000:1000" in flags
    assert "--mount=type=bind,src=/srv/lab,dst=/var/lib/stratlab" in flags
    assert flags[-1].startswith("stratlab-controller:")


def test_engine_s_socket_is_a_row_of_the_threat_model() -> None:
    assert "host root" in COMPOSE.read_text() or "root on the host" in COMPOSE.read_text()
    rows = (ROOT / "docs/threat-model.md").read_text()
    assert "compose.yaml" in rows


def test_image_s_requirements_are_those_that_everything_is_tested_with() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text()
        return set(re.findall(r"^[a-z0-9.-]+==\S+", text, re.MULTILINE))

    controller = pins("controller.txt")
    assert controller <= pins("dev.txt")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=\[]", line)[0] for line in declared}
    assert names <= {pin.split("==")[0] for pin in controller}
