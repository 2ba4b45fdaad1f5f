"""The fake keeps the promises of the port."""

import pytest
from tests.suites.fake_sandbox import FakeSandbox, Script
from tests.suites.sandbox_suite import (
    BUY_AND_HOLD,
    RAISES,
    SLEEPS,
    SandboxSuite,
    Subject,
    ignore,
    suite_batch,
)

from stratlab.domain.errors import EngineUnavailableError
from stratlab.domain.trial import Outcome, StrategyFailure

_LINE = 'raise ValueError("not today")'
_FAILURE = StrategyFailure(
    "ValueError",
    "not today",
    line=[line.strip() for line in RAISES.splitlines()].index(_LINE) + 1,
    text=_LINE,
)


class TestFakeSandbox(SandboxSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        fake = FakeSandbox({RAISES: Script(failure=_FAILURE), SLEEPS: Script(seconds=3600)})
        return Subject(fake, lambda: fake.live, lambda: fake.live)


async def test_fake_raises_what_it_is_told_once_each() -> None:
    fake = FakeSandbox(raises=[EngineUnavailableError("gone")])
    with pytest.raises(EngineUnavailableError):
        await fake.run(suite_batch(BUY_AND_HOLD), ignore)
    (claim,) = await fake.run(suite_batch(BUY_AND_HOLD), ignore)
    assert claim.outcome is Outcome.SUCCEEDED
    assert len(fake.batches) == 2
