"""The real sandbox keeps the promises of the port."""

import pytest
from tests.sandbox.real import RealSandbox
from tests.suites.sandbox_suite import SandboxSuite, Subject

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


class TestDockerSandbox(SandboxSuite):
    @pytest.fixture
    def subject(self, real: RealSandbox) -> Subject:
        return Subject(real.sandbox, lambda: len(real.containers()), lambda: len(real.running()))
