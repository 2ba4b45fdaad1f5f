"""The shell scripts, with a client that answers what the test wants."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "python@sha256:" + "1" * 64


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the scripts, so that lock and cache are the test's own."""
    (tmp_path / "docker").mkdir()
    for name in ("base-image.sh", "engine.sh", "image.sh", "wheels.sh"):
        script = tmp_path / "docker" / name
        script.write_text((ROOT / "docker" / name).read_text())
        script.chmod(0o755)
    return tmp_path


def fake(copy: Path, **programs: str) -> Path:
    """Put programs in front of the real ones; each call is noted."""
    fakes = copy / "fakes"
    fakes.mkdir(exist_ok=True)
    for name, text in programs.items():
        program = fakes / name.replace("_", "-")
        program.write_text(f'#!/bin/bash\necho {program.name} "$@" >>{copy}/calls\n{text}\n')
        program.chmod(0o755)
    return fakes


def run(copy: Path, script: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run a script with these programs in front of the system's, of which sbin is left out."""
    fakes = fake(copy, **programs)
    return subprocess.run(
        [str(copy / "docker" / script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            "PATH": f"{fakes}:/usr/bin:/bin",
            "PYTHON": sys.executable,
            "STRATLAB_ENGINE_LOG": f"{copy}/log",
        },
    )


def calls(copy: Path) -> str:
    return (copy / "calls").read_text()


def pulling(digest: str) -> str:
    return f"""
case "$*" in
  *RepoDigests*) echo {digest} ;;
  "image inspect stratlab-base:bookworm") exit 1 ;;
esac"""


def test_base_image_present_does_nothing(copy: Path) -> None:
    result = run(copy, "base-image.sh", docker="exit 0")
    assert result.returncode == 0
    assert result.stdout == "base-image: stratlab-base:bookworm is present\n"
    assert "pull" not in calls(copy)


def test_base_image_first_pull_locks_the_digest_and_a_second_accepts_it(copy: Path) -> None:
    lock = copy / ".cache/base-image.lock"
    for _ in range(2):
        result = run(copy, "base-image.sh", docker=pulling(DIGEST))
        assert result.returncode == 0, result.stderr
        assert lock.read_text().strip() == DIGEST
    assert calls(copy).count("tag python:3.11-slim-bookworm") == 2


def test_base_image_other_digest_than_locked_stops_with_a_remedy(copy: Path) -> None:
    assert run(copy, "base-image.sh", docker=pulling(DIGEST)).returncode == 0
    changed = DIGEST.replace("1", "2")
    result = run(copy, "base-image.sh", docker=pulling(changed))
    assert result.returncode == 1
    assert DIGEST in result.stderr
    assert changed in result.stderr
    assert f"delete {copy}/.cache/base-image.lock" in result.stderr
    assert (copy / ".cache/base-image.lock").read_text().strip() == DIGEST


def test_base_image_without_engine_stops_with_the_command(copy: Path) -> None:
    result = run(copy, "base-image.sh", docker="exit 1")
    assert result.returncode == 1
    assert "docker/engine.sh" in result.stderr


NO_REGISTRY = '[[ "$1" == version ]]'


def test_base_image_without_registry_and_not_root_stops_with_the_command(copy: Path) -> None:
    result = run(copy, "base-image.sh", docker=NO_REGISTRY, id="echo 1000")
    assert result.returncode == 1
    assert "sudo" in result.stderr
    assert "debootstrap" not in calls(copy)


def test_base_image_failed_bootstrap_shows_its_last_lines(copy: Path) -> None:
    result = run(
        copy,
        "base-image.sh",
        docker=NO_REGISTRY,
        id="echo 0",
        debootstrap="echo no mirror answers; exit 1",
    )
    assert result.returncode == 1
    assert "no mirror answers" in result.stderr
    assert "docker import" not in calls(copy)


def test_engine_that_answers_is_left_alone(copy: Path) -> None:
    result = run(copy, "engine.sh", docker="echo 20.10")
    assert (result.returncode, result.stdout) == (0, "engine: Docker engine 20.10 answers\n")
    assert calls(copy) == "docker version --format {{.Server.Version}}\n"


UNUSED = {"apt_get": "exit 1", "dockerd": "exit 1", "systemctl": "exit 1"}


def test_engine_that_runs_but_refuses_this_user_is_left_alone(copy: Path) -> None:
    result = run(copy, "engine.sh", docker="exit 1", pidof="echo 1234", **UNUSED)
    assert result.returncode == 1
    assert "usermod -aG docker" in result.stderr
    assert set(calls(copy).split("\n")) == {
        "", "docker version --format {{.Server.Version}}", "pidof dockerd",
    }  # fmt: skip


def test_engine_missing_and_not_root_stops_with_the_command(copy: Path) -> None:
    result = run(copy, "engine.sh", docker="exit 1", pidof="exit 1", id="echo 1000", **UNUSED)
    assert result.returncode == 1
    assert "sudo" in result.stderr
    assert "apt-get" not in calls(copy)


def test_engine_missing_and_root_is_announced_installed_and_started(copy: Path) -> None:
    starts = f"touch {copy}/up"
    daemon = copy / "dockerd"
    daemon.write_text(f"#!/bin/bash\n{starts}\n")
    daemon.chmod(0o755)
    result = run(
        copy,
        "engine.sh",
        docker=f"[[ -f {copy}/up ]] && echo 20.10",
        pidof="exit 1",
        id="echo 0",
        systemctl=starts,
        apt_get=f"[[ $1 != install ]] || cp {daemon} {copy}/fakes/dockerd",
    )
    assert result.returncode == 0, result.stderr
    assert "apt-get install -q -y --no-install-recommends docker.io" in calls(copy)
    assert result.stdout.index("apt-get install") < result.stdout.index("starting")
    assert result.stdout.endswith("engine: Docker engine 20.10 answers\n")


# Three stages are found: one of this build, one of an earlier one, and one that is in use.
STAGES = """
case "$*" in
  *"{{.Id}} stratlab-base"*) echo sha256:base ;;
  "image ls "*) printf 'current\nsuperseded\nused\n' ;;
  *stage-inputs*current) grep -o 'INPUTS=[0-9a-f]*' COPY/calls | cut -d= -f2 ;;
  *stage-inputs*) echo others ;;
  "image rm used") exit 1 ;;
esac"""


def test_image_build_removes_the_stages_that_it_superseded_and_nothing_else(copy: Path) -> None:
    for name in ("Dockerfile", "assemble.py", "requirements.txt", "stratlab_runner/lab.py"):
        file = copy / "sandbox_image" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (copy / "proto/gen/stratlab_proto/runner").mkdir(parents=True)
    (copy / "proto/gen/stratlab_proto/__init__.py").touch()
    (copy / "pyproject.toml").write_text('[project]\nversion = "9.9"\n')
    wheels = copy / ".cache/wheels" / hashlib.sha256(b"requirements.txt").hexdigest()[:16]
    wheels.mkdir(parents=True)
    for name in (".complete", "some.whl"):
        (wheels / name).touch()
    result = run(copy, "image.sh", docker=STAGES.replace("COPY", str(copy)))
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("image: removed the superseded stage superseded\n")
    (listing,) = [line for line in calls(copy).splitlines() if line.startswith("docker image ls")]
    filters = "--filter dangling=true --filter label=org.stratlab.stage-of=stratlab-sandbox:9.9"
    assert filters in listing
    removed = [line for line in calls(copy).splitlines() if " rm" in line or "prune" in line]
    assert removed == ["docker image rm superseded", "docker image rm used"]
