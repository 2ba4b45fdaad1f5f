"""Leaks that can be read in a world are not accepted by the real lab."""

import pytest

from stratlab.domain.strategy import Author
from stratlab.screening import SubprocessScreener
from stratlab.selftest.leaks import CONTROL, HONEST, LEAKS
from stratlab.selftest.sandboxed import run_leaks
from stratlab.settings import Settings


def test_screening_knows_every_leak_and_nothing_against_the_honest_one():
    screener = SubprocessScreener()
    assert not any(screener.screen(leak.source, Author.MODEL).passed for leak in LEAKS)
    assert screener.screen(CONTROL.source, Author.MODEL).passed


@pytest.mark.docker
@pytest.mark.load
async def test_leaks_that_nobody_screened_are_not_accepted(tmp_path):
    # The quickest of them; all of them with `stratlab selftest --sandboxed`.
    results = await run_leaks(Settings(home=tmp_path / "home"), LEAKS[:1])
    accepted = {result.name for result in results if result.is_accepted}
    assert accepted == {HONEST}
