"""A controller for each runtime, and each case run once on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import pytest

from stratlab.abuse.bench import Bench, CaseReport
from stratlab.abuse.catalogue import CASES, DRILLS
from stratlab.cli.abuse import open_bench
from stratlab.settings import Settings

Run = Callable[[str, str], CaseReport]


@pytest.fixture(scope="session")
def bench_of(
    us_daily_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Bench]]:
    """One bench for each runtime, opened when it is first asked for."""
    with ExitStack() as benches:

        @lru_cache
        def bench_of(runtime: str) -> Bench:
            home = tmp_path_factory.mktemp("abuse")
            home.chmod(0o700)
            settings = Settings(home=home)
            return benches.enter_context(open_bench(settings, runtime, us_daily_home))

        yield bench_of


@pytest.fixture(scope="session")
def report_of(bench_of: Callable[[str], Bench], full_size: bool) -> Run:
    """The report of a case or drill under a runtime; each is run once."""
    cases = {case.name: case for case in CASES}
    drills = {drill.name: drill for drill in DRILLS}

    @lru_cache
    def report_of(runtime: str, name: str) -> CaseReport:
        bench = bench_of(runtime)
        if name in cases:
            return bench.run(cases[name])
        return drills[name].run(bench, full=full_size)

    return report_of
