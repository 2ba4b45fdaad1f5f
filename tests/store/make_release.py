"""Writes the database that a release leaves behind; run once, when that release is made.

Usage: python -m tests.store.make_release OUTPUT

It holds what a controller of the small lab stores: one campaign that ended, and one that was in
the middle of its third iteration when the controller stopped. The file is committed and never
written again: later versions of stratlab must open it (tests/store/test_upgrade_releases.py).
"""

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.suites.small_lab import CountingGenerator, small_lab, small_spec

from stratlab.domain.campaign import StopRules
from stratlab.domain.events import EventKind

STOPPED_AFTER = 2


async def fill(home: Path) -> None:
    """Leave an ended and a working campaign in the store of ``home``."""
    with small_lab(home, generator=CountingGenerator(fail_every=4), seconds=0.2) as lab:
        rules = StopRules(max_iterations=5, max_wall_seconds=None)
        spec = small_spec(display_name="ended", seed=2, stop_rules=rules)
        ended = await lab.manager.create(spec, "r1")
        async for _ in lab.manager.watch(ended.id, after=0, include_progress=False):
            pass
        rules = StopRules(max_iterations=6, max_wall_seconds=None)
        spec = small_spec(display_name="working", seed=3, stop_rules=rules)
        working = await lab.manager.create(spec, "r2")
        evaluated = 0
        async for event in lab.manager.watch(working.id, after=0, include_progress=False):
            evaluated += event.kind is EventKind.ITERATION_EVALUATED
            # In the middle of an iteration: there is a trial that must be run again.
            if evaluated >= STOPPED_AFTER and event.kind is EventKind.TRIAL_STARTED:
                break
        await lab.manager.stop()


def main(output: Path) -> None:
    """Write the database as one compact file."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        asyncio.run(fill(home))
        with closing(sqlite3.connect(home / "stratlab.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(output),))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
