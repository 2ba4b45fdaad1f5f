"""Reads docker/compose.yaml and says with which `docker run` flags its service would start.

The compose plugin is not everywhere where the tests run; this covers the keys that the file uses
and refuses any other, so that nothing in the file goes untested.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).resolve().parents[2] / "docker" / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<kind>:-|:\?)(?P<rest>[^}]*)\}")


class MissingVariableError(Exception):
    """A variable without a default is not set."""


def service(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the service `controller` with its variables filled in."""
    document = yaml.safe_load(_VARIABLE.sub(lambda m: _value(m, variables), COMPOSE.read_text()))
    assert set(document) == {"name", "services"}
    assert set(document["services"]) == {"controller"}
    return document["services"]["controller"]


def run_flags(service: Mapping[str, Any]) -> list[str]:
    """Return the flags of `docker run` that mean the same; the image is the last one."""
    rest = dict(service)
    flags = [f"--user={rest.pop('user')}", f"--network={rest.pop('network_mode')}"]
    flags += [f"--pids-limit={rest.pop('pids_limit')}"]
    flags += ["--init"] * rest.pop("init") + ["--read-only"] * rest.pop("read_only")
    flags += [f"--group-add={group}" for group in rest.pop("group_add")]
    flags += [f"--cap-drop={capability}" for capability in rest.pop("cap_drop")]
    flags += [f"--security-opt={option}" for option in rest.pop("security_opt")]
    flags += [f"--tmpfs={mount}" for mount in rest.pop("tmpfs")]
    flags += [f"--env={name}={value}" for name, value in rest.pop("environment").items()]
    for mount in rest.pop("volumes"):
        flags.append(f"--mount=type={mount['type']},src={mount['source']},dst={mount['target']}")
    flags.append(f"--stop-timeout={rest.pop('stop_grace_period').removesuffix('s')}")
    health = rest.pop("healthcheck")
    assert health["test"][0] == "CMD"
    flags.append(f"--health-cmd={' '.join(health['test'][1:])}")
    flags += [f"--health-{name}={health[name]}" for name in ("interval", "timeout", "retries")]
    flags.append(f"--health-start-period={health['start_period']}")
    # Restarts belong to the engine; a test starts and stops by itself.
    assert rest.pop("restart") == "unless-stopped"
    assert rest.pop("pull_policy") == "never"
    image = rest.pop("image")
    assert not rest, f"flags for {sorted(rest)} are not known here"
    return [*flags, image]


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["name"] in variables:
        return variables[match["name"]]
    if match["kind"] == ":?":
        raise MissingVariableError(match["name"])
    return match["rest"]
