"""Campaigns with ``review: required`` wait for a word on every candidate with warnings."""

import asyncio
from pathlib import Path

import pytest
from tests.suites.small_lab import SmallLab, small_lab, small_spec

from stratlab.domain.campaign import REVIEW_REASON, Campaign, CampaignState, StopRules
from stratlab.domain.errors import WrongStateError
from stratlab.domain.events import Event
from stratlab.domain.search import ReviewMode
from stratlab.domain.strategy import Author, Finding, ScreeningReport, Severity


class WarningScreener:
    """A screener that warns of everything."""

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        return ScreeningReport((Finding("static", "odd", Severity.WARNING, 1, 1, "odd", "look"),))


class SilentScreener:
    """A screener that finds nothing."""

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        return ScreeningReport()


def reviewed_spec(iterations: int = 2):
    return small_spec(review=ReviewMode.REQUIRED, stop_rules=StopRules(max_iterations=iterations))


async def waiting(lab: SmallLab, campaign: Campaign) -> Campaign:
    async with asyncio.timeout(20):
        while (stored := lab.repository.get_campaign(campaign.id)).state_reason != REVIEW_REASON:
            assert not stored.state.is_final
            await asyncio.sleep(0.01)
    return stored


async def finished(lab: SmallLab, campaign: Campaign) -> Campaign:
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


async def test_warning_pauses_before_any_trial_until_it_is_approved(tmp_path: Path) -> None:
    with small_lab(tmp_path, screener=WarningScreener()) as lab:
        campaign = await lab.manager.create(reviewed_spec(1), "r")
        paused = await waiting(lab, campaign)
        assert paused.state is CampaignState.PAUSED
        assert lab.sandbox.seen == []
        iteration = lab.repository.get_iteration(campaign.id, 1)
        assert iteration.screening is not None
        assert [finding.rule for finding in iteration.screening.findings] == ["odd"]
        with pytest.raises(WrongStateError, match="waits for the approval"):
            await lab.manager.resume(campaign.id)
        await lab.manager.approve(campaign.id, "ann")
        done = await finished(lab, campaign)
        assert done.state is CampaignState.COMPLETED
        assert lab.repository.get_iteration(campaign.id, 1).evaluation is not None
        events = lab.repository.events(campaign.id)
        assert any('"actor":"ann"' in e.payload and "REVIEW_APPROVED" in e.payload for e in events)


async def test_declined_candidate_ends_its_iteration_and_the_next_one_waits(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, screener=WarningScreener()) as lab:
        campaign = await lab.manager.create(reviewed_spec(2), "r")
        await waiting(lab, campaign)
        await lab.manager.approve(campaign.id, decline=True)
        second = await waiting(lab, campaign)
        assert second.iteration == 2
        first = lab.repository.get_iteration(campaign.id, 1)
        assert first.failure == "declined in review"
        assert first.results == ()
        await lab.manager.approve(campaign.id)
        assert (await finished(lab, campaign)).state is CampaignState.COMPLETED


async def test_review_survives_a_restart_and_can_be_cancelled(tmp_path: Path) -> None:
    with small_lab(tmp_path, screener=WarningScreener()) as lab:
        campaign = await lab.manager.create(reviewed_spec(), "r")
        await waiting(lab, campaign)
        await lab.manager.stop()
    with small_lab(tmp_path, screener=WarningScreener()) as lab:
        await lab.manager.start()
        assert lab.repository.get_campaign(campaign.id).state_reason == REVIEW_REASON
        cancelled = await lab.manager.cancel(campaign.id)
        assert cancelled.state is CampaignState.CANCELLED
        with pytest.raises(WrongStateError, match="waits for no approval"):
            await lab.manager.approve(campaign.id)


async def test_clean_candidate_needs_no_review(tmp_path: Path) -> None:
    with small_lab(tmp_path, screener=SilentScreener()) as lab:
        campaign = await lab.manager.create(reviewed_spec(1), "r")
        async with asyncio.timeout(20):
            done = await finished(lab, campaign)
        assert done.state is CampaignState.COMPLETED
        assert not any(
            isinstance(event, Event) and REVIEW_REASON in event.payload
            for event in lab.repository.events(campaign.id)
        )
