"""Shared by all tests: sizes, and what a test needs to be run at all."""

import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stratlab.bootstrap import build_data_set
from stratlab.settings import Settings

FULL_SIZE = os.environ.get("STRATLAB_TEST_SIZE") == "full"
IMAGE = "stratlab-sandbox:0.1.0"

# Timing of single examples varies with the machine; deadlines would test the machine.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=50, derandomize=True, **_COMMON)
settings.register_profile("full", max_examples=1000, **_COMMON)
settings.load_profile("full" if FULL_SIZE else "ci")


@lru_cache(maxsize=1)
def _missing_for_docker() -> str:
    try:
        found = subprocess.run(
            ["docker", "image", "inspect", IMAGE], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no Docker client or engine: {error}"
    return "" if found.returncode == 0 else f"no image {IMAGE} (run `make image`)"


@lru_cache(maxsize=1)
def _missing_for_gvisor() -> str:
    if missing := _missing_for_docker():
        return missing
    found = subprocess.run(
        ["docker", "info", "--format={{json .Runtimes}}"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    wanted = {"runsc", "runsc-plain"}
    if wanted <= set(json.loads(found.stdout or "{}")):
        return ""
    return "the engine has no runtime runsc (as root run `make gvisor`)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files whose tests may take longest begin, so that no worker ends alone with one."""
    longest: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = float(marker.args[0]) if marker else 0.0
        longest[item.path] = max(longest.get(item.path, 0.0), seconds)
    items.sort(key=lambda item: -longest[item.path])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip Docker and gVisor tests with the reason; in CI a missing engine is a failure."""
    if item.get_closest_marker("gvisor") is not None and (missing := _missing_for_gvisor()):
        pytest.skip(missing)
    if item.get_closest_marker("docker") is None:
        return
    missing = _missing_for_docker()
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def us_daily_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with us-daily, built by the product itself."""
    home = tmp_path_factory.mktemp("us-daily")
    build_data_set(Settings(home=home), "us-daily")
    return home


@pytest.fixture(scope="session")
def full_size() -> bool:
    """Whether the suites run at the size of `make soak`."""
    return FULL_SIZE
