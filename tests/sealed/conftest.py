"""Programs that run inside the test image, beside the controller's script of reveals."""

import subprocess
from pathlib import Path

from tests.conftest import FULL_SIZE
from tests.fast_engine.conftest import sources, test_image, tier  # noqa: F401 - fixtures

INSIDE = Path(__file__).parent / "inside"
ENGINES = Path(__file__).parents[1] / "fast_engine" / "inside"
CONTROLLER = Path(__file__).parents[2] / "controller"
SECONDS = 3000 if FULL_SIZE else 280


def check(image: str, name: str, mounts: dict[Path, str]) -> None:
    """Run one program of ``inside/`` in the test image; all its checks must pass."""
    shown = {INSIDE: "/inside", ENGINES: "/engines", CONTROLLER: "/controller", **mounts}
    volumes = [f"--volume={path}:{target}:ro" for path, target in shown.items()]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL",
         "--tmpfs=/tmp:size=512m", "--user=54321", "--entrypoint=python",
         f"--env=STRATLAB_TEST_SIZE={'full' if FULL_SIZE else 'ci'}", "--env=HOME=/tmp",
         "--env=PYTHONPATH=/tools:/inside:/engines:/controller",
         "--env=STRATLAB_CONTROLLER=/controller", "--workdir=/tmp", *volumes,
         image, "-P", "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--import-mode=importlib", "--noconftest", f"/inside/{name}.py"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
