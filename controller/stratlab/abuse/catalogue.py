"""All cases and drills, in the order in which they are run, and the selection of each size."""

from collections.abc import Collection, Iterator
from typing import Final

from stratlab.abuse.bench import Bench, CaseReport
from stratlab.abuse.case import AbuseCase
from stratlab.abuse.drills import DRILLS
from stratlab.abuse.escape import BETWEEN, ESCAPE
from stratlab.abuse.output import OUTPUT, TRUTH
from stratlab.abuse.resources import RESOURCES

CASES: Final[tuple[AbuseCase, ...]] = (*RESOURCES, *OUTPUT, *ESCAPE, *BETWEEN, *TRUTH)
"""Each a strategy that is run as a backtest."""


def run_all(bench: Bench, names: Collection[str] = (), *, full: bool) -> Iterator[CaseReport]:
    """Run cases and drills one after the other, and yield how each went.

    Args:
        bench: On which.
        names: Of those to run; empty for all.
        full: Whether drills are run at full size.
    """
    for case in CASES:
        if not names or case.name in names:
            yield bench.run(case)
    for drill in DRILLS:
        if not names or drill.name in names:
            yield drill.run(bench, full=full)
