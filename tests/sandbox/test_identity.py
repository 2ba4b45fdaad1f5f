"""Installation ids are stable, controller ids tell the living from the dead."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stratlab.sandbox.identity import (
    abandoned_socket_roots,
    controller_id,
    installation_id,
    may_be_alive,
    socket_root,
)


def test_installation_id_is_made_once_also_by_many_at_a_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: installation_id(tmp_path / "home"), range(32)))
    assert len(ids) == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["installation-id"]


def test_installation_ids_of_two_homes_differ(tmp_path: Path) -> None:
    assert installation_id(tmp_path / "a") != installation_id(tmp_path / "b")


def test_own_process_is_alive() -> None:
    assert may_be_alive(controller_id())


def test_ended_process_is_dead_and_so_is_a_reused_pid() -> None:
    code = "from stratlab.sandbox.identity import controller_id; print(controller_id())"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert not may_be_alive(ended)
    machine, boot, namespace, _, start = ended.split(".")
    assert not may_be_alive(f"{machine}.{boot}.{namespace}.{os.getpid()}.{start}")


def test_killed_process_that_nobody_waited_for_is_dead() -> None:
    code = (
        "from stratlab.sandbox.identity import controller_id\n"
        "print(controller_id(), flush=True)\nimport time; time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
    )
    identity = child.stdout.readline().strip()
    assert may_be_alive(identity)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not may_be_alive(identity)
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("field", ["machine", "namespace"])
def test_process_that_cannot_be_seen_from_here_may_be_alive(field: str) -> None:
    parts = controller_id().split(".")
    parts[["machine", "boot", "namespace"].index(field)] = "elsewhere"
    parts[3] = "1"
    assert may_be_alive(".".join(parts))


def test_process_of_an_earlier_boot_is_dead() -> None:
    parts = controller_id().split(".")
    parts[1] = "earlier"
    assert not may_be_alive(".".join(parts))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b.c.d.e.f"])
def test_text_that_is_no_identity_is_dead(text: str) -> None:
    assert not may_be_alive(text)


def test_socket_root_of_a_dead_process_is_abandoned_own_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = socket_root("0123456789abcdef")
    own.mkdir()
    dead = tmp_path / "stratlab-01234567-4194305-17"
    dead.mkdir()
    (tmp_path / "stratlab-01234567-notes").mkdir()
    (tmp_path / "stratlab-89abcdef-4194305").mkdir()
    # The same process id, but started at another time: a controller before a restart.
    earlier = tmp_path / f"{own.name}0"
    earlier.mkdir()
    assert set(abandoned_socket_roots("0123456789abcdef")) == {dead, earlier}
    assert abandoned_socket_roots("0123456789abcdef", tmp_path / "elsewhere") == ()
