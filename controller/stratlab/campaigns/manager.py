"""Starts, watches, pauses and ends campaigns; one task per campaign that works."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, final

import structlog

from stratlab.campaigns.event_tail import News
from stratlab.campaigns.loop import CampaignLoop
from stratlab.campaigns.transitions import record_transition
from stratlab.campaigns.uninterrupted import uninterrupted
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
    InvalidSpecError,
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
_EVENT_PAGE = 500
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

    async def start(self) -> None:
        """Continue every campaign that was working when the last controller ended."""
        repository, reports = self._workshop.repository, self._workshop.reports
        for campaign in await asyncio.to_thread(repository.unfinished_campaigns):
            _LOG.info("campaign_continued", campaign=campaign.id, state=campaign.state.value)
            self._spawn(campaign)
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
        self, spec: CampaignSpec, request_id: str, actor: str = OWNER.name
    ) -> Campaign:
        """Check a specification, store the campaign and start it.

        Raises:
            DataSetNotFoundError: No data set has that name.
            DataSetCorruptError: A file of the data set is not what was built.
            InvalidSpecError: A market or timeframe does not exist.
            AlreadyExistsError: The request id was used with another specification.
        """
        data_set = await asyncio.to_thread(self._market_data.get, spec.data_set)
        _check_markets(spec, data_set.symbols, data_set.timeframe)
        # Milliseconds now, against hours of search on bytes that somebody changed.
        await asyncio.to_thread(self._market_data.verify, spec.data_set)
        now = self._workshop.clock.now()
        draft = Campaign(
            # Sortable by creation, and free of meaning.
            id=f"c{int(now.timestamp() * 1000):011x}{secrets.token_hex(3)}",
            spec=spec,
            data_digest=data_set.digest,
            state=CampaignState.QUEUED,
            created_at=now,
            updated_at=now,
        )
        return await self._to_its_end(self._store_and_start(draft, request_id, actor))

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

    async def watch(
        self, campaign_id: str, *, after: int, include_progress: bool
    ) -> AsyncIterator[Event | TrialProgress]:
        """Replay stored events after a number, then follow until the campaign is final.

        When this ends, the files of the campaign are written too, if there is room for them.

        Raises:
            NotFoundError: No campaign has that id.
        """
        await self._stored(campaign_id)
        repository = self._workshop.repository

        def load(number: int) -> News:
            # The state is read first: events stored before it became final are then seen.
            is_final = repository.get_campaign(campaign_id).state.is_final
            return News(repository.events(campaign_id, after=number, limit=_EVENT_PAGE), is_final)

        async def read(number: int) -> News:
            return await asyncio.to_thread(load, number)

        with self._workshop.bus.subscribe(campaign_id) as subscription:
            last = after
            while True:
                news = await subscription.tail.after(last, read)
                for event in news.events:
                    last = event.number
                    yield event
                if news.events:
                    continue
                if news.is_final:
                    await self._files_written(campaign_id)
                    return
                if stall := self._stalls.get(campaign_id):
                    raise stall.with_traceback(None)
                for progress in await subscription.wait():
                    if include_progress:
                        yield progress

    async def _files_written(self, campaign_id: str) -> None:
        # They follow the last step, in the task that stored it or under the lock; where the
        # disk is full, nobody is kept waiting for them.
        while (task := self._tasks.get(campaign_id)) and campaign_id not in self._stalls:
            await asyncio.wait([task], timeout=_FILES_POLL_SECONDS)
        async with self._lock(campaign_id):
            pass

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


def _check_markets(spec: CampaignSpec, known: Sequence[str], timeframe: str) -> None:
    unknown = sorted({symbol for market in spec.markets for symbol in market} - set(known))
    if unknown:
        raise InvalidSpecError(
            f"data set {spec.data_set} has no {', '.join(unknown)}",
            hint=f"Use some of {', '.join(known)}.",
            field="markets",
        )
    if not spec.markets or not all(spec.markets):
        raise InvalidSpecError("a market set is empty", hint="Name at least one symbol.")
    wrong = [frame for frame in spec.timeframes if frame != timeframe]
    if wrong or not spec.timeframes:
        raise InvalidSpecError(
            f"data set {spec.data_set} has bars of {timeframe}, not {', '.join(wrong)}",
            hint=f"Use the timeframe {timeframe}.",
            field="timeframes",
        )
