"""A controller whose examination a test kills; it prints a line for every event.

At the end it prints the result hash.

Usage: killable_examination.py HOME once_for_finalist|manual SECONDS_PER_CHECK
"""

import asyncio
import sys
from pathlib import Path

from tests.suites.scripted_desks import QuickRobustness, ScriptedCausality, ScriptedStatistics
from tests.suites.small_lab import SmallLab, small_lab, small_spec

from stratlab.domain.campaign import Campaign, StopRules
from stratlab.domain.events import Event
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import Gates


async def tell(lab: SmallLab, campaign: Campaign, after: int = 0) -> int:
    """Print every event until the campaign rests, and return the number of the last one."""
    async for event in lab.manager.watch(campaign.id, after=after, include_progress=False):
        assert isinstance(event, Event)
        after = event.number
        print(event.number, event.kind.value, flush=True)
    return after


async def main(home: Path, mode: HoldoutMode, seconds: float) -> str:
    spec = small_spec(
        stop_rules=StopRules(max_iterations=1, max_wall_seconds=None),
        gates=Gates(None, None, None, None, None, None),
        holdout=mode,
    )
    parts = {
        "causality": ScriptedCausality(seconds=seconds),
        "statistics": ScriptedStatistics(),
        "robustness": QuickRobustness(seconds),
    }
    with small_lab(home, **parts, holdout_sign=1, seconds=seconds) as lab:
        await lab.manager.start()
        campaign = await lab.manager.create(spec, "the one campaign")
        last = await tell(lab, campaign)
        if mode is HoldoutMode.MANUAL and not lab.repository.holdout_openings():
            await lab.manager.open_holdout(campaign.id, "eve")
            await tell(lab, campaign, last)
        return lab.repository.get_campaign(campaign.id).result_hash


if __name__ == "__main__":
    print(asyncio.run(main(Path(sys.argv[1]), HoldoutMode(sys.argv[2]), float(sys.argv[3]))))
