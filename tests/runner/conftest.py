"""The test market and containers over it."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runner.market import Market, random_market
from tests.runner.member import IMAGE, Member

INSIDE = Path(__file__).parent / "inside"


def run_inside(script: str, *arguments: str, mounts: dict[Path, str]) -> str:
    """Run a script of ``inside/`` in the image, as root, and return what it printed."""
    volumes = [f"--volume={path}:{target}" for path, target in mounts.items()]
    result = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--user=0", "--entrypoint=python",
         "--tmpfs=/tmp", "--env=PYTHONPATH=/inside", f"--volume={INSIDE}:/inside:ro", *volumes,
         IMAGE, "-P", "-W", "ignore", f"/inside/{script}", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def make_tier(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Market], Path]:
    """Writes a market as a tier directory."""

    def make(market: Market) -> Path:
        directory = tmp_path_factory.mktemp("tier")
        (directory / "market.json").write_text(json.dumps(market.description()))
        (directory / "tier").mkdir()
        run_inside("make_tier.py", "/tier/market.json", "/tier/tier", mounts={directory: "/tier"})
        return directory / "tier"

    return make


@pytest.fixture(scope="session")
def market() -> Market:
    """Two years of three symbols, with splits and dividends."""
    return random_market(seed=1)


@pytest.fixture(scope="session")
def tier(make_tier: Callable[[Market], Path], market: Market) -> Path:
    """The market's tier directory."""
    return make_tier(market)


@pytest.fixture(scope="module")
def member(tier: Path) -> Iterator[Member]:
    """A container that the tests of one module share; only we run code in it."""
    with Member(tier) as running:
        yield running
