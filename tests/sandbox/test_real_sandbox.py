"""The real sandbox keeps the promises of the port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.sandbox.real import RealSandbox, open_real_sandbox
from tests.suites.sandbox_suite import SandboxSuite, Subject

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


class TestDockerSandbox(SandboxSuite):
    @pytest.fixture
    def subject(self, real: RealSandbox) -> Subject:
        return Subject(real.sandbox, lambda: len(real.containers()), lambda: len(real.running()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pooled(real_home: Path, real: RealSandbox) -> AsyncIterator[RealSandbox]:
    async with open_real_sandbox(real_home, pool_low=1, leases=real.leases) as opened:
        yield opened


class TestPooledDockerSandbox(SandboxSuite):
    @pytest.fixture
    def subject(self, pooled: RealSandbox) -> Subject:
        def at_work() -> int:
            return len(pooled.at_work())

        return Subject(pooled.sandbox, at_work, at_work)
