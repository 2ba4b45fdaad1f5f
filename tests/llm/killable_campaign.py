"""A controller whose models are the local server, for a test to start and kill.

It prints a line when it works, and the result hash at the end.

Usage: killable_campaign.py HOME URL ITERATIONS
"""

import asyncio
import sys
from pathlib import Path

from tests.llm.lab_setup import HYBRID, model_settings, rules
from tests.suites.small_lab import small_lab, small_spec

from stratlab.screening import SubprocessScreener


async def main(home: Path, url: str, iterations: int) -> str:
    spec = small_spec(generator=HYBRID, stop_rules=rules(iterations, max_cost_usd=100.0))
    screener = SubprocessScreener()
    # Its process starts slowly; a kill shall not find the controller waiting for it.
    screener.screen("x = 1")
    settings = model_settings(home, url)
    with small_lab(home, screener=screener, models=settings, seconds=0.05) as lab:
        print("working", flush=True)
        await lab.manager.start()
        campaign = await lab.manager.create(spec, "the one campaign")
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        return lab.repository.get_campaign(campaign.id).result_hash


if __name__ == "__main__":
    print(asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
