"""What a strategy finds when it looks around in the real container."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.sandbox.real import RealSandbox, open_real_sandbox
from tests.suites.sandbox_suite import ignore, suite_batch

from stratlab.domain.trial import Outcome
from stratlab.sandbox.policy import ENVIRONMENT, MIN_UID

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

PLANTED = "canary-4f1d9a7c2b"

_SPY = """
import glob, json, os, socket, sys
from pathlib import Path


SHELLS = ("/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/env", "/usr/bin/busybox")
LINK = "/run/stratlab/link.sock"


def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__


def readable(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def initialize(context):
    files = [
        path
        for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/tmp/**", "/data/*.json",
                        "/run/**", "/etc/*", "/proc/mounts")
        for path in glob.glob(pattern, recursive=True)
        if os.path.isfile(path)
    ]
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    found = {
        "tmp_before": sorted(os.listdir("/tmp")),
        "secret": [path for path in files if b"@PLANTED@" in readable(path)],
        "environ": sorted(os.environ),
        "interfaces": [line.split(":")[0].strip()
                       for line in Path("/proc/net/dev").read_text().splitlines()[2:]],
        "inet": attempt(lambda: socket.socket(socket.AF_INET)),
        "write_root": attempt(lambda: open("/planted", "w")),
        "write_data": attempt(lambda: open("/data/planted", "w")),
        "write_run": attempt(lambda: open("/run/stratlab/planted", "w")),
        "write_package": attempt(lambda: open(os.path.dirname(json.__file__) + "/planted", "w")),
        "write_tmp": attempt(lambda: open("/tmp/note", "w")),
        "link": attempt(lambda: socket.socket(socket.AF_UNIX).connect(LINK)),
        "data": sorted(os.listdir("/data")),
        "run": attempt(lambda: os.listdir("/run/stratlab")),
        "docker": os.path.exists("/var/run/docker.sock"),
        "shells": [path for path in SHELLS if os.path.exists(path)],
        "ptrace_parent": attempt(lambda: open(f"/proc/{os.getppid()}/mem", "r+b")),
        "mem_of_1": attempt(lambda: open("/proc/1/mem", "r+b")),
        "fds_of_1": attempt(lambda: os.listdir("/proc/1/fd")),
        "setuid": [
            path for root in ("/usr", "/bin", "/sbin", "/opt", "/lib")
            for path in glob.glob(root + "/**", recursive=True)
            if os.path.isfile(path) and not os.path.islink(path) and os.stat(path).st_mode & 0o6000
        ],
        "uid": status["Uid"].split(),
        "caps": status["CapEff"].strip(),
        "seccomp": status["Seccomp"].strip(),
    }
    print("FOUND" + json.dumps(found))


def handle_data(context, data):
    pass
"""


async def look_around(real: RealSandbox) -> dict[str, Any]:
    (claim,) = await real.sandbox.run(suite_batch(_SPY.replace("@PLANTED@", PLANTED)), ignore)
    assert claim.outcome is Outcome.SUCCEEDED, claim.reason
    return json.loads(claim.output_tail.partition("FOUND")[2])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(real_home: Path) -> AsyncIterator[dict[str, Any]]:
    """What the spy reports, with secrets planted all around the controller."""
    (real_home / "secret.txt").write_text(PLANTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRATLAB_TEST_API_KEY", PLANTED)
        async with open_real_sandbox(real_home) as real:
            yield await look_around(real)


async def test_planted_secrets_are_found_nowhere(found: dict[str, Any]) -> None:
    assert found["secret"] == []


async def test_environment_is_the_allow_list(found: dict[str, Any]) -> None:
    assert set(found["environ"]) <= {*ENVIRONMENT, "PATH", "HOSTNAME", "LC_CTYPE"}


async def test_network_is_loopback_without_sockets(found: dict[str, Any]) -> None:
    assert found["interfaces"] == ["lo"]
    assert found["inet"] == "PermissionError"


@pytest.mark.parametrize("place", ["root", "data", "run", "package"])
async def test_file_system_is_read_only(found: dict[str, Any], place: str) -> None:
    assert found[f"write_{place}"] in {"OSError", "PermissionError"}


async def test_tmp_is_writable(found: dict[str, Any]) -> None:
    assert "TextIOWrapper" in found["write_tmp"]


async def test_link_cannot_be_reached_by_the_strategy(found: dict[str, Any]) -> None:
    assert found["run"] in {"[]", "PermissionError"}
    assert found["link"] in {"FileNotFoundError", "PermissionError"}


async def test_data_is_the_tier_s_only(found: dict[str, Any]) -> None:
    assert set(found["data"]) == {
        "adjustments.sqlite",
        "assets.sqlite",
        "daily_equities.bcolz",
        "days",
        "tier.json",
    }


async def test_image_has_no_shell_no_setuid_file_and_no_engine_socket(
    found: dict[str, Any],
) -> None:
    assert found["shells"] == []
    assert found["setuid"] == []
    assert not found["docker"]


async def test_supervisor_s_memory_and_descriptors_are_out_of_reach(
    found: dict[str, Any],
) -> None:
    assert found["mem_of_1"] == "PermissionError"
    assert found["fds_of_1"] == "PermissionError"


async def test_identity_is_powerless(found: dict[str, Any]) -> None:
    assert set(found["uid"]) & {"0"} == set()
    assert int(found["uid"][0]) >= MIN_UID
    assert int(found["caps"], 16) == 0
    assert found["seccomp"] == "2"


async def test_second_member_finds_nothing_of_the_first(real: RealSandbox) -> None:
    first, second = await look_around(real), await look_around(real)
    assert "note" not in second["tmp_before"]
    assert first["tmp_before"] == second["tmp_before"]
