"""Tools that start and steer campaigns: create, estimate, list, watch, steer."""

import time
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, final

from pydantic import Field

from stratlab.client.plain import plain
from stratlab.domain.campaign import CampaignState
from stratlab.mcp.answers import MAX_ANSWER, answer_size, shorten
from stratlab.mcp.lab import Lab, Progress
from stratlab.mcp.specification import Specification, to_message
from stratlab.mcp.tool import Arguments, Tool
from stratlab_proto.v1 import campaign_service_pb2 as pb

_WATCH_BYTES = MAX_ANSWER // 2
_EVENT_ITEMS, _EVENT_CHARACTERS = 20, 600
_MAX_RUNNING = 20
_TELLING_PAUSE = 0.25  # seconds between two notifications
_FINAL = frozenset(state.value for state in CampaignState if state.is_final)

CampaignName = Annotated[
    str, Field(min_length=1, max_length=128, description="Id or name (campaigns/ID).")
]


@final
class _Action(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class _Create(Specification):
    request_id: str = Field(
        default="", max_length=128, description="The same one twice creates one campaign."
    )


class _List(Arguments):
    limit: int = Field(default=20, ge=1, le=100)


class _Watch(Arguments):
    campaign: CampaignName
    after: int = Field(
        default=0, ge=0, le=2**63 - 1, description="next_after of the answer before; 0: all."
    )
    seconds: float = Field(default=20, ge=1, le=55, description="Longest time to wait.")
    max_events: int = Field(default=50, ge=1, le=100)


class _Steer(Arguments):
    campaign: CampaignName
    action: _Action


async def _create(lab: Lab, arguments: _Create, progress: Progress) -> dict[str, Any]:
    del progress
    spec, key = to_message(arguments), arguments.request_id
    return summary(await lab.ask(lambda client: client.create_campaign(spec, request_id=key)))


async def _estimate(lab: Lab, arguments: Specification, progress: Progress) -> dict[str, Any]:
    del progress
    spec = to_message(arguments)
    return plain(await lab.ask(lambda client: client.estimate_campaign(spec)))


async def _list(lab: Lab, arguments: _List, progress: Progress) -> dict[str, Any]:
    del progress
    wanted = arguments.limit + 1
    found = await lab.ask(
        lambda client: list(islice(client.list_campaigns(page_size=wanted), wanted))
    )
    return {
        "campaigns": [summary(campaign) for campaign in found[: arguments.limit]],
        "more": len(found) > arguments.limit,
    }


async def _watch(lab: Lab, arguments: _Watch, progress: Progress) -> dict[str, Any]:
    seen = _Seen(arguments, progress)
    await lab.follow(
        lambda client: client.watch_campaign(
            arguments.campaign, after=arguments.after, include_progress=True
        ),
        seen.take,
        arguments.seconds,
    )
    campaign = await lab.ask(lambda client: client.get_campaign(arguments.campaign))
    return summary(campaign) | {
        "events": seen.events,
        "next_after": seen.after,
        "running_trials": seen.running,
    }


async def _steer(lab: Lab, arguments: _Steer, progress: Progress) -> dict[str, Any]:
    del progress
    name = arguments.campaign
    match arguments.action:
        case _Action.PAUSE:
            return summary(await lab.ask(lambda client: client.pause_campaign(name)))
        case _Action.RESUME:
            return summary(await lab.ask(lambda client: client.resume_campaign(name)))
        case _Action.CANCEL:
            return summary(await lab.ask(lambda client: client.cancel_campaign(name)))


def summary(campaign: pb.Campaign) -> dict[str, Any]:
    """Return where a campaign stands, and what it was asked for in short."""
    record = plain(campaign)
    spec, verdict = record["spec"], record["verdict"]
    shown = ("name", "state", "state_reason", "iteration", "create_time", "update_time")
    asked = ("display_name", "prompt", "data_set", "generator")
    return {name: record[name] for name in shown} | {
        "is_final": record["state"] in _FINAL,
        "verdict": verdict["kind"] if verdict else None,
        "asked": {name: spec[name] for name in asked} if spec else None,
    }


@final
class _Seen:
    # What a watch has shown, as much as fits into one answer.

    def __init__(self, arguments: _Watch, progress: Progress) -> None:
        self.after = arguments.after
        self.events: list[dict[str, Any]] = []
        self.running: dict[str, float] = {}
        self._max_events = arguments.max_events
        self._size = 0
        self._tell = progress
        self._told = 0
        self._told_at = 0.0

    async def take(self, item: pb.WatchCampaignResponse) -> bool:
        if item.HasField("progress"):
            return await self._take_progress(item.progress)
        event = shorten(plain(item.event), _EVENT_ITEMS, _EVENT_CHARACTERS)
        self.events.append(event)
        self.after = item.event.number
        self._size += answer_size(event)
        await self._say(f"event {self.after}: {item.event.kind}")
        return len(self.events) < self._max_events and self._size < _WATCH_BYTES

    async def _take_progress(self, trial: pb.TrialProgress) -> bool:
        self.running.pop(trial.trial_id, None)
        if trial.fraction < 1:
            self.running[trial.trial_id] = round(trial.fraction, 3)
        while len(self.running) > _MAX_RUNNING:
            del self.running[next(iter(self.running))]
        await self._say(f"trial {trial.trial_id}: {trial.fraction:.0%}")
        return True

    async def _say(self, text: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELLING_PAUSE:
            self._told_at = now
            self._told += 1
            await self._tell(self._told, None, text)


CREATE = Tool(
    "create_campaign",
    "Create a campaign, which searches for a strategy, and start it; answers at once. Follow it "
    "with watch_campaign. estimate_campaign says before what it would cost.",
    _Create,
    _create,
    reads_only=False,
)
ESTIMATE = Tool(
    "estimate_campaign",
    "Say what a campaign would cost and what its winner would have to show; stores nothing.",
    Specification,
    _estimate,
)
LIST_CAMPAIGNS = Tool("list_campaigns", "List the campaigns, newest first.", _List, _list)
WATCH = Tool(
    "watch_campaign",
    "Wait for a campaign: answers its events behind `after`, and where it stands, when it has "
    "ended, there are max_events, or the seconds are over. Call again with next_after until "
    "is_final. Tells its progress while it waits.",
    _Watch,
    _watch,
)
STEER = Tool(
    "steer_campaign",
    "Pause a campaign before its next step, resume it, or cancel it for good.",
    _Steer,
    _steer,
    reads_only=False,
    ends_work=True,
)
