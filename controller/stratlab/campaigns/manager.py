"""Starts, watches, pauses and ends campaigns; one task per campaign that works."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, final

import structlog

from stratlab.campaigns.loop import CampaignLoop
from stratlab.campaigns.replay import new_campaign, replay_spec
from stratlab.campaigns.second_look import SecondLook
from stratlab.campaigns.spec_checks import check_markets
from stratlab.campaigns.transitions import record_transition
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.campaigns.watching import follow
from stratlab.campaigns.workshop import Workshop
from stratlab.domain.access import OWNER
from stratlab.domain.campaign import (
    REVIEW_DECLINED_REASON,
    REVIEW_REASON,
    Campaign,
    CampaignSpec,
    CampaignState,
)
from stratlab.domain.errors import (
    InfrastructureError,
    StratlabError,
    UnavailableError,
    WrongStateError,
    from_os_error,
)
from stratlab.domain.events import Event
from stratlab.domain.ports import MarketData
from stratlab.domain.trial import TrialProgress

_LOG = structlog.get_logger(__name__)
SETTLE_AGAIN_SECONDS: Final = 2.0
"""Between the tries to store that a campaign is paused, while the store cannot be written."""
_FILES_POLL_SECONDS = 0.1
# The newest campaigns whose reports are checked at start, in case a crash came between.
_REPORTS_CHECKED = 50


@final
class CampaignManager:
    """The use cases around campaigns; every method is called inside one event loop."""

    def __init__(self, workshop: Workshop, market_data: MarketData) -> None:
        self._workshop = workshop
        self._market_data = market_data
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stalls: dict[str, StratlabError] = {}
        self._calls: set[asyncio.Task[Campaign]] = set()
        self._locks: dict[str, asyncio.Lock] = {}
        self._second_look = SecondLook(workshop)

    async def start(self) -> None:
        """Continue every campaign that was working when the last controller ended."""
        repository, reports = self._workshop.repository, self._workshop.reports
        for campaign in await asyncio.to_thread(repository.unfinished_campaigns):
            _LOG.info("campaign_continued", campaign=campaign.id, state=campaign.state.value)
            self._spawn(campaign)
        for campaign, iterations in await asyncio.to_thread(self._second_look.unfinished):
            self._keep(campaign.id, self._second_look.run(campaign, iterations))
        newest = await asyncio.to_thread(repository.list_campaigns, limit=_REPORTS_CHECKED)
        for campaign in newest:
            if campaign.state.is_final:
                try:
                    await asyncio.to_thread(reports.write_missing, campaign)
                except InfrastructureError as error:
                    # A full disk must not keep anybody from reading what is stored.
                    _LOG.warning("report_not_written", campaign=campaign.id, reason=str(error))

    async def stop(self) -> None:
        """Stop all work; campaigns keep their state and continue at the next start."""
        await asyncio.gather(*self._calls, return_exceptions=True)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def create(
        self, spec: CampaignSpec, request_id: str, actor: str = OWNER.name, replay_of: str = ""
    ) -> Campaign:
        """Check a specification, store the campaign and start it.

        Raises:
            DataSetNotFoundError: No data set has that name.
            DataSetCorruptError: A file of the data set is not what was built.
            InvalidSpecError: A market or timeframe does not exist.
            AlreadyExistsError: The request id was used with another specification.
        """
        data_set = await asyncio.to_thread(self._market_data.get, spec.data_set)
        check_markets(spec, data_set.symbols, data_set.timeframe)
        # Milliseconds now, against hours of search on bytes that somebody changed.
        await asyncio.to_thread(self._market_data.verify, spec.data_set)
        draft = new_campaign(spec, data_set.digest, self._workshop.clock.now(), replay_of)
        return await self._to_its_end(self._store_and_start(draft, request_id, actor))

    async def replay(self, campaign_id: str, request_id: str, actor: str = OWNER.name) -> Campaign:
        """Run a completed campaign again; its models answer from what was recorded.

        Raises:
            NotFoundError: No campaign has that id.
            WrongStateError: It is not completed.
            DataSetCorruptError: Its data set is another one now.
        """
        original = await self._stored(campaign_id)
        data_set = await asyncio.to_thread(self._market_data.get, original.spec.data_set)
        spec = replay_spec(original, data_set.digest)
        return await self.create(spec, request_id, actor, campaign_id)

    async def pause(self, campaign_id: str, actor: str = OWNER.name) -> Campaign:
        """Stop a campaign before its next step; its running trials are run again later.

        Raises:
            NotFoundError: No campaign has that id.
            WrongStateError: It is paused or final already.
        """
        return await self._to_its_end(
            self._interrupt(campaign_id, CampaignState.PAUSED, "PAUSED_BY_USER", actor)
        )

    async def cancel(self, campaign_id: str, actor: str = OWNER.name) -> Campaign:
        """End a campaign and kill its containers.

        Raises:
            NotFoundError: No campaign has that id.
            WrongStateError: It is final already.
        """
        return await self._to_its_end(
            self._interrupt(campaign_id, CampaignState.CANCELLED, "CANCELLED_BY_USER", actor)
        )

    async def resume(self, campaign_id: str, actor: str = OWNER.name) -> Campaign:
        """Continue a paused campaign where it stood.

        Raises:
            NotFoundError: No campaign has that id.
            WrongStateError: It is not paused.
        """
        return await self._to_its_end(self._resume(campaign_id, actor))

    async def approve(
        self, campaign_id: str, actor: str = OWNER.name, *, decline: bool = False
    ) -> Campaign:
        """Continue a campaign that is paused for review.

        Args:
            campaign_id: Which one.
            actor: Who decides.
            decline: Whether its candidate is not to be run.

        Raises:
            NotFoundError: No campaign has that id.
            WrongStateError: It does not wait for an approval.
        """
        return await self._to_its_end(self._approve(campaign_id, actor, decline=decline))

    async def _store_and_start(self, draft: Campaign, request_id: str, actor: str) -> Campaign:
        repository = self._workshop.repository
        campaign = await uninterrupted(lambda: repository.create_campaign(draft, request_id, actor))
        if not campaign.state.is_final and campaign.state is not CampaignState.PAUSED:
            self._spawn(campaign)
        return campaign

    async def _resume(self, campaign_id: str, actor: str) -> Campaign:
        async with self._lock(campaign_id):
            campaign = await self._stored(campaign_id)
            stands_still = campaign_id in self._stalls
            if stands_still or campaign.state is CampaignState.PAUSED:
                # What stored the pause, or could not, may still be on its way out.
                await self._end_task(campaign_id)
                campaign = await self._stored(campaign_id)
            if stands_still and not (campaign.state.is_final or campaign.resume_state):
                # There was no room for a word of it in the store.
                self._spawn(campaign)
                return campaign
            if _waits_for_review(campaign):
                raise WrongStateError(
                    f"campaign {campaign_id} waits for the approval of its candidate",
                    hint="Look at its findings, then run `stratlab campaign approve`.",
                    state=campaign.state,
                )
            if campaign.state is not CampaignState.PAUSED or campaign.resume_state is None:
                raise WrongStateError(
                    f"campaign {campaign_id} is {campaign.state}, not paused", state=campaign.state
                )
            resumed = await self._move(campaign, campaign.resume_state, "RESUMED_BY_USER", actor)
            self._spawn(resumed)
            return resumed

    async def _approve(self, campaign_id: str, actor: str, *, decline: bool) -> Campaign:
        async with self._lock(campaign_id):
            campaign = await self._stored(campaign_id)
            if not _waits_for_review(campaign):
                raise WrongStateError(
                    f"campaign {campaign_id} is {campaign.state} and waits for no approval",
                    state=campaign.state,
                )
            # The task that stored the pause may still be on its way out.
            await self._end_task(campaign_id)
            to_state, reason = (
                (CampaignState.CODE_GENERATED, REVIEW_DECLINED_REASON)
                if decline
                else (CampaignState.CAMPAIGN_RUNNING, "REVIEW_APPROVED")
            )
            decided = await self._move(campaign, to_state, reason, actor)
            self._spawn(decided)
            return decided

    async def open_holdout(
        self, campaign_id: str, actor: str = OWNER.name, *, iteration: int = 0
    ) -> Campaign:
        """Open the holdout for a candidate of a completed campaign; its new verdict follows.

        Args:
            campaign_id: Which one.
            actor: Who opens it.
            iteration: Of the candidate; 0 for the one that the verdict is about.

        Raises:
            NotFoundError: No campaign has that id, or its hall of fame no such candidate.
            WrongStateError: The search has not ended, or the candidate has seen the holdout.
            InvalidSpecError: The data set has no holdout.
        """
        return await self._to_its_end(self._open_holdout(campaign_id, actor, iteration))

    async def _open_holdout(self, campaign_id: str, actor: str, number: int) -> Campaign:
        async with self._lock(campaign_id):
            campaign = await self._stored(campaign_id)
            if campaign.state.is_final and campaign_id in self._tasks:
                raise WrongStateError(
                    f"campaign {campaign_id} is being examined", state=campaign.state
                )
            begun = await uninterrupted(lambda: self._second_look.begin(campaign, number, actor))
            self._keep(campaign_id, self._second_look.run(campaign, [begun]))
            return campaign

    async def watch(
        self, campaign_id: str, *, after: int, include_progress: bool
    ) -> AsyncIterator[Event | TrialProgress]:
        """Replay stored events after a number, then follow until the campaign is final.

        When this ends, the files of the campaign are written too, if there is room for them.

        Raises:
            NotFoundError: No campaign has that id.
        """
        await self._stored(campaign_id)
        items = follow(
            self._workshop.repository,
            self._workshop.bus,
            campaign_id,
            after,
            came_to_rest=lambda: self._came_to_rest(campaign_id),
            stall=lambda: self._stalls.get(campaign_id),
        )
        async with aclosing(items) as stream:
            async for item in stream:
                if include_progress or isinstance(item, Event):
                    yield item

    async def _came_to_rest(self, campaign_id: str) -> bool:
        # Files follow the last step, in the task that stored it or under the lock; where the
        # disk is full, nobody is kept waiting for them.
        waited = False
        while (task := self._tasks.get(campaign_id)) and campaign_id not in self._stalls:
            await asyncio.wait([task], timeout=_FILES_POLL_SECONDS)
            waited = True
        async with self._lock(campaign_id):
            return not waited

    def _spawn(self, campaign: Campaign) -> None:
        if campaign.id not in self._tasks:
            self._keep(campaign.id, self._work(campaign))

    def _keep(self, campaign_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"campaign {campaign_id}")
        self._tasks[campaign_id] = task

        def forget(_: object) -> None:
            if self._tasks.get(campaign_id) is task:
                del self._tasks[campaign_id]

        task.add_done_callback(forget)

    async def _end_task(self, campaign_id: str) -> None:
        task = self._tasks.pop(campaign_id, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._stalls.pop(campaign_id, None)

    async def _to_its_end(self, work: Coroutine[Any, Any, Campaign]) -> Campaign:
        # A caller that gives up half-way must not leave a campaign without a task.
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await asyncio.shield(task)

    async def _work(self, campaign: Campaign) -> None:
        try:
            await CampaignLoop(self._workshop, campaign).run()
        except (UnavailableError, InfrastructureError, OSError) as error:
            # Nothing is wrong with the campaign: it can go on once the cause is mended.
            cause = from_os_error(error) if isinstance(error, OSError) else error
            _LOG.warning("campaign_paused", campaign=campaign.id, reason=str(cause))
            await self._settle(campaign.id, CampaignState.PAUSED, cause.reason, cause)
        except StratlabError as error:
            _LOG.exception("campaign_failed", campaign=campaign.id)
            await self._settle(campaign.id, CampaignState.FAILED, error.reason, error)
        except Exception:  # noqa: BLE001 (the boundary between campaigns)
            # A defect of ours in one campaign must not take the others down.
            _LOG.exception("campaign_failed", campaign=campaign.id)
            defect = StratlabError("the campaign failed unexpectedly; the server's log says why")
            await self._settle(campaign.id, CampaignState.FAILED, defect.reason, defect)
        finally:
            self._workshop.bus.notify(campaign.id)

    async def _settle(
        self, campaign_id: str, state: CampaignState, reason: str, cause: StratlabError
    ) -> None:
        # A disk that is full takes no word of it either: until it does, whoever watches is told,
        # and `resume` tries again. After a restart the campaign continues by itself.
        while True:
            try:
                await self._settle_once(campaign_id, state, reason)
            except InfrastructureError as failure:
                if campaign_id not in self._stalls:
                    _LOG.warning("campaign_stalled", campaign=campaign_id, reason=str(failure))
                    self._stalls[campaign_id] = cause
                self._workshop.bus.notify(campaign_id)
                await asyncio.sleep(SETTLE_AGAIN_SECONDS)
            except WrongStateError:
                break  # somebody else has moved it meanwhile
            else:
                break
        self._stalls.pop(campaign_id, None)

    async def _settle_once(self, campaign_id: str, state: CampaignState, reason: str) -> None:
        campaign = await self._stored(campaign_id)
        if campaign.state.is_final:
            # Its last step is stored; what failed were the files that follow it.
            await asyncio.to_thread(self._workshop.reports.write_missing, campaign)
        elif campaign.state is not state:
            await self._move(campaign, state, reason)

    async def _interrupt(
        self, campaign_id: str, state: CampaignState, reason: str, actor: str
    ) -> Campaign:
        async with self._lock(campaign_id):
            campaign = await self._stored(campaign_id)
            if campaign.state.is_final or campaign.state is state:
                raise WrongStateError(
                    f"campaign {campaign_id} is {campaign.state}", state=campaign.state
                )
            await self._end_task(campaign_id)
            campaign = await self._stored(campaign_id)
            if campaign.state.is_final or campaign.state is state:
                return campaign
            try:
                return await self._move(campaign, state, reason, actor)
            except InfrastructureError as error:
                self._keep(campaign_id, self._settle(campaign_id, state, reason, error))
                raise

    async def _move(
        self, campaign: Campaign, state: CampaignState, reason: str, actor: str = ""
    ) -> Campaign:
        paused = state is CampaignState.PAUSED
        after = replace(
            campaign,
            state=state,
            state_reason=reason,
            updated_at=self._workshop.clock.now(),
            resume_state=campaign.state if paused else None,
        )

        def write() -> Campaign:
            with self._workshop.repository.transaction() as transaction:
                return record_transition(transaction, campaign, after, actor)

        moved = await uninterrupted(write)
        if moved.state.is_final:
            await asyncio.to_thread(self._workshop.reports.after_step, moved, None)
        self._workshop.bus.notify(campaign.id)
        return moved

    async def _stored(self, campaign_id: str) -> Campaign:
        return await asyncio.to_thread(self._workshop.repository.get_campaign, campaign_id)

    def _lock(self, campaign_id: str) -> asyncio.Lock:
        return self._locks.setdefault(campaign_id, asyncio.Lock())


def _waits_for_review(campaign: Campaign) -> bool:
    return campaign.state is CampaignState.PAUSED and campaign.state_reason == REVIEW_REASON
