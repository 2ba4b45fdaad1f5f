"""A controller on a small lab that a test starts and kills.

It prints a line when it works, and the result hash at the end.

Usage: killable_controller.py HOME ITERATIONS SECONDS_PER_BATCH
"""

import asyncio
import sys
from pathlib import Path

from tests.suites.small_lab import CountingGenerator, CountingScreen, small_lab, small_spec

from stratlab.domain.campaign import StopRules
from stratlab.screening import SubprocessScreener


async def main(home: Path, iterations: int, seconds: float) -> str:
    spec = small_spec(stop_rules=StopRules(max_iterations=iterations, max_wall_seconds=None))
    generator, screen = CountingGenerator(fail_every=7), CountingScreen()
    screener = SubprocessScreener()
    # Its process starts slowly; a kill shall not find the controller waiting for it.
    screener.screen("x = 1")
    parts = {"generator": generator, "parameters": screen, "screener": screener}
    with small_lab(home, **parts, seconds=seconds) as lab:
        print("working", flush=True)
        await lab.manager.start()
        campaign = await lab.manager.create(spec, "the one campaign")
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        return lab.repository.get_campaign(campaign.id).result_hash


if __name__ == "__main__":
    print(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
