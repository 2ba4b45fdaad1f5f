"""A proven sandbox over the real engine, shared by the tests that need Docker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.sandbox.builders import Clock
from tests.sandbox.real import RealSandbox, open_real_sandbox

from stratlab.market_data import build_us_daily
from stratlab.sandbox import DockerEngine, DockerJobs, installation_id
from stratlab.settings import SandboxSettings


@pytest.fixture(scope="session")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with ``us-daily``, built by a trusted job."""
    home = tmp_path_factory.mktemp("home")
    engine = DockerEngine()
    jobs = DockerJobs(engine, Clock(), SandboxSettings().image, installation_id(home))
    build_us_daily(home, jobs)
    engine.close()
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(real_home: Path) -> AsyncIterator[RealSandbox]:
    """A sandbox whose limits are proven."""
    async with open_real_sandbox(real_home) as opened:
        yield opened
