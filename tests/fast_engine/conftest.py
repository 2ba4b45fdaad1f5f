"""The test image: the sandbox image with pytest and hypothesis, never shipped."""

import hashlib
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest
from tests.conftest import FULL_SIZE, IMAGE
from tests.market_data.helpers import DockerJobs
from tests.zipline_compat import world

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import Tier
from stratlab.generation.templates import load_templates
from stratlab.market_data.builder import build_data_set

INSIDE = Path(__file__).parent / "inside"
ALGORITHMS = Path(__file__).parents[1] / "zipline_compat" / "algorithms"
TOOLS = ("pytest", "pluggy", "iniconfig", "pygments", "packaging", "hypothesis",
         "sortedcontainers", "attrs")  # fmt: skip
TAG = "stratlab-test"
SECONDS = 3000 if FULL_SIZE else 280
DOCKERFILE = """
ARG IMAGE
FROM ${IMAGE}
COPY tools /tools
ENV PYTHONPATH=/tools:/inside
"""


@pytest.fixture(scope="session")
def test_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image's tag; built from the sandbox image without network unless it is there."""
    sandbox = _output("docker", "image", "inspect", "--format={{.Id}}", IMAGE)
    versions = " ".join(f"{name}=={distribution(name).version}" for name in TOOLS)
    made_of = hashlib.sha256(f"{sandbox} {versions} {DOCKERFILE}".encode()).hexdigest()[:16]
    tag = f"{TAG}:{made_of}"
    found = subprocess.run(
        ["docker", "image", "inspect", tag], capture_output=True, check=False, timeout=60
    )
    if found.returncode:
        context = tmp_path_factory.mktemp("test-image")
        for name in TOOLS:
            _copy(name, context / "tools")
        (context / "Dockerfile").write_text(DOCKERFILE)
        _output("docker", "build", "--quiet", "--network=none", f"--build-arg=IMAGE={IMAGE}",
                f"--tag={tag}", str(context))  # fmt: skip
    return tag


@pytest.fixture(scope="session")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mount of a made-up data set that the published examples run on."""
    home = tmp_path_factory.mktemp("fast-engine")
    build_data_set(
        home, world.NAME, world.content(), DockerJobs(), provenance="synthetic, made for this test"
    )
    return home / "data" / world.NAME / "tiers" / Tier.TRAIN.value


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own algorithms and the compiled templates, one file each."""
    folder = tmp_path_factory.mktemp("sources")
    for path in ALGORITHMS.glob("*.py"):
        shutil.copy(path, folder)
    for name, contract in load_templates().items():
        (folder / f"template_{name}.py").write_text(compile_to_zipline(contract))
    return folder


def check(image: str, name: str, mounts: dict[Path, str]) -> None:
    """Run one program of ``inside/`` in the test image; all its checks must pass."""
    volumes = [f"--volume={path}:{target}:ro" for path, target in mounts.items()]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL",
         "--tmpfs=/tmp:size=512m", "--user=54321", "--entrypoint=python",
         f"--env=STRATLAB_TEST_SIZE={'full' if FULL_SIZE else 'ci'}", "--env=HOME=/tmp",
         "--workdir=/tmp", f"--volume={INSIDE}:/inside:ro", *volumes,
         image, "-P", "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--import-mode=importlib", "--noconftest", f"/inside/{name}.py"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]


def _copy(name: str, target: Path) -> None:
    files = distribution(name).files
    assert files is not None, name
    for file in files:
        if ".." not in file.parts and file.suffix != ".pyc":
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target / file)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()
