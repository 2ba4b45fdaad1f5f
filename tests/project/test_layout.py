"""Promises about the source tree itself."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def own_modules() -> list[Path]:
    return [path for path in tracked("*.py") if "proto/gen/" not in path.as_posix()]


def test_modules_stay_below_the_line_limit() -> None:
    too_long = {
        path.relative_to(ROOT).as_posix(): count
        for path in own_modules()
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not too_long


def test_modules_say_their_one_job_first() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in own_modules()
        if path.read_text() and not re.match(r'(#!.*\n)?"""\S', path.read_text())
    ]
    assert not silent


def test_folder_docker_never_shadows_the_sdk() -> None:
    assert not (ROOT / "docker" / "__init__.py").exists()


@pytest.mark.parametrize(
    "pattern",
    [
        # Host names of package registries, written so that this file does not match itself.
        r"pypi" + r"\.org",
        r"files\.python" + r"hosted",
        r"registry\.npm" + r"js",
        r"deb\.debian" + r"\.org",
        r"--(extra-)?index" + r"-url",
    ],
)
def test_no_package_registry_is_named(pattern: str) -> None:
    expression = re.compile(pattern)
    named = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if expression.search(text):
            named.append(path.relative_to(ROOT).as_posix())
    assert not named
