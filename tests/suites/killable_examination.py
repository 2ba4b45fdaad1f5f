"""A controller whose examination a test kills; it prints a line for every event.

At the end it prints the result hash.

Usage: killable_examination.py HOME once_for_finalist|manual SECONDS_PER_CHECK
"""

import asyncio
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from tests.suites.scripted_desks import QuickRobustness, ScriptedCausality, ScriptedStatistics
from tests.suites.small_lab import SmallLab, small_lab, small_spec

from stratlab.domain.campaign import Campaign, StopRules
from stratlab.domain.events import Event
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import Gates


async def tell(lab: SmallLab, campaign: Campaign, after: int, *, aloud: bool) -> int:
    """Watch every event until the campaign rests, and return the number of the last one."""
    async for event in lab.manager.watch(campaign.id, after=after, include_progress=False):
        assert isinstance(event, Event)
        after = event.number
        if aloud:
            print(event.number, event.kind.value, flush=True)
    return after


def examined_lab(home: Path, seconds: float) -> AbstractContextManager[SmallLab]:
    """Open a lab whose first finalist passes every rule; every check takes a while."""
    return small_lab(
        home,
        causality=ScriptedCausality(seconds=seconds),
        statistics=ScriptedStatistics(),
        robustness=QuickRobustness(seconds),
        holdout_sign=1,
        seconds=seconds,
    )


async def examined(lab: SmallLab, mode: HoldoutMode, *, aloud: bool = False) -> str:
    """Start or continue the one campaign, an operator's opening included; return its hash."""
    spec = small_spec(
        stop_rules=StopRules(max_iterations=1, max_wall_seconds=None),
        gates=Gates(None, None, None, None, None, None),
        holdout=mode,
    )
    await lab.manager.start()
    campaign = await lab.manager.create(spec, "the one campaign")
    last = await tell(lab, campaign, 0, aloud=aloud)
    if mode is HoldoutMode.MANUAL and not lab.repository.holdout_openings():
        await lab.manager.open_holdout(campaign.id, "eve")
        await tell(lab, campaign, last, aloud=aloud)
    return lab.repository.get_campaign(campaign.id).result_hash


async def main(home: Path, mode: HoldoutMode, seconds: float) -> str:
    with examined_lab(home, seconds) as lab:
        return await examined(lab, mode, aloud=True)


if __name__ == "__main__":
    print(asyncio.run(main(Path(sys.argv[1]), HoldoutMode(sys.argv[2]), float(sys.argv[3]))))
