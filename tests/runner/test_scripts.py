"""The shell scripts, with a client that answers what the test wants."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "python@sha256:" + "1" * 64


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the scripts, so that lock and cache are the test's own."""
    (tmp_path / "docker").mkdir()
    for name in ("base-image.sh", "engine.sh"):
        script = tmp_path / "docker" / name
        script.write_text((ROOT / "docker" / name).read_text())
        script.chmod(0o755)
    return tmp_path


def run(copy: Path, script: str, client: str, *programs: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a fake `docker` and further empty programs in front of the real ones."""
    fakes = copy / "fakes"
    fakes.mkdir(exist_ok=True)
    for name, text in {"docker": client, **dict.fromkeys(programs, "exit 1")}.items():
        (fakes / name).write_text(f'#!/bin/bash\necho {name} "$@" >>{copy}/calls\n{text}\n')
        (fakes / name).chmod(0o755)
    return subprocess.run(
        [str(copy / "docker" / script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": f"{fakes}:{os.environ['PATH']}"},
    )


def pulling(digest: str) -> str:
    return f"""
case "$*" in
  *RepoDigests*) echo {digest} ;;
  "image inspect stratlab-base:bookworm") exit 1 ;;
esac"""


def test_base_image_present_does_nothing(copy: Path) -> None:
    result = run(copy, "base-image.sh", "exit 0")
    assert (result.returncode, result.stdout) == (
        0,
        "base-image: stratlab-base:bookworm is present\n",
    )
    assert "pull" not in (copy / "calls").read_text()


def test_base_image_first_pull_locks_the_digest_and_a_second_accepts_it(copy: Path) -> None:
    lock = copy / ".cache/base-image.lock"
    for _ in range(2):
        result = run(copy, "base-image.sh", pulling(DIGEST))
        assert result.returncode == 0, result.stderr
        assert lock.read_text().strip() == DIGEST
    assert (copy / "calls").read_text().count("tag python:3.11-slim-bookworm") == 2


def test_base_image_other_digest_than_locked_stops_with_a_remedy(copy: Path) -> None:
    assert run(copy, "base-image.sh", pulling(DIGEST)).returncode == 0
    changed = DIGEST.replace("1", "2")
    result = run(copy, "base-image.sh", pulling(changed))
    assert result.returncode == 1
    assert DIGEST in result.stderr
    assert changed in result.stderr
    assert f"delete {copy}/.cache/base-image.lock" in result.stderr
    assert (copy / ".cache/base-image.lock").read_text().strip() == DIGEST


def test_base_image_without_engine_stops_with_the_command(copy: Path) -> None:
    result = run(copy, "base-image.sh", "exit 1")
    assert result.returncode == 1
    assert "docker/engine.sh" in result.stderr


def test_base_image_failed_bootstrap_shows_its_last_lines(copy: Path) -> None:
    client = 'case "$1" in version) exit 0;; *) exit 1;; esac'
    result = run(copy, "base-image.sh", client, "debootstrap")
    assert result.returncode == 1
    assert "debootstrap" in result.stderr


def test_engine_that_answers_is_left_alone(copy: Path) -> None:
    result = run(copy, "engine.sh", "echo 20.10", "apt-get", "dockerd", "systemctl", "service")
    assert (result.returncode, result.stdout) == (0, "engine: Docker engine 20.10 answers\n")
    assert (copy / "calls").read_text() == "docker version --format {{.Server.Version}}\n"


def test_engine_that_runs_but_refuses_this_user_is_left_alone(copy: Path) -> None:
    (copy / "fakes").mkdir()
    pidof = copy / "fakes/pidof"
    pidof.write_text("#!/bin/bash\necho 1234\n")
    pidof.chmod(0o755)
    result = run(copy, "engine.sh", "exit 1", "apt-get", "dockerd", "systemctl", "service")
    assert result.returncode == 1
    assert "usermod -aG docker" in result.stderr
    assert "dockerd" not in (copy / "calls").read_text()


def test_engine_missing_and_not_root_stops_with_the_command(copy: Path) -> None:
    fakes = copy / "fakes"
    fakes.mkdir()
    (fakes / "id").write_text('#!/bin/bash\n[[ "$1" == -u ]] && echo 1000 || echo user\n')
    (fakes / "id").chmod(0o755)
    result = run(copy, "engine.sh", "exit 1", "apt-get", "pidof", "dockerd")
    assert result.returncode == 1
    assert "sudo" in result.stderr
    assert "apt-get" not in (copy / "calls").read_text()
