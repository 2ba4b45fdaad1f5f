"""Opens the holdout for a candidate of a campaign that has ended, and reaches its verdict anew."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import structlog

from stratlab.campaigns.conclusion import conclude
from stratlab.campaigns.examination import subject_of
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.campaigns.watching import listener
from stratlab.campaigns.workshop import Workshop
from stratlab.domain.campaign import Campaign, CampaignState, HallOfFameEntry, Iteration
from stratlab.domain.errors import NotFoundError, StratlabError, WrongStateError
from stratlab.domain.examination import CheckName, Examination
from stratlab.evaluation.promotion import judge_promotion

_LOG = structlog.get_logger(__name__)


@final
class SecondLook:
    """What an operator sets going with ``open-holdout``; a crash loses nothing of it.

    Args:
        workshop: Everything the loop works with.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def begin(self, campaign: Campaign, number: int, actor: str) -> Iteration:
        """Enter the opening and return the iteration whose candidate is let see the holdout.

        Args:
            campaign: A completed one.
            number: Of the iteration; 0 for the candidate that the verdict is about.
            actor: Who opens it.

        Raises:
            WrongStateError: The campaign has no verdict, or the candidate was let see it before.
            NotFoundError: The candidate is not in the hall of fame.
            InvalidSpecError: The data set has no holdout.
        """
        if campaign.state is not CampaignState.COMPLETED or campaign.verdict is None:
            raise WrongStateError(
                f"campaign {campaign.id} is {campaign.state}; the search must have ended first",
                hint="Wait for its verdict.",
                state=campaign.state,
            )
        repository, chosen = self._workshop.repository, campaign.verdict.candidate
        entry = _entry(repository.hall_of_fame(campaign.id), number, chosen)
        if entry is None:
            raise NotFoundError(
                f"campaign {campaign.id} has no such candidate in its hall of fame",
                hint="`stratlab campaign show` lists who was admitted, by iteration.",
                campaign=campaign.id,
                iteration=number,
            )
        iteration = repository.get_iteration(campaign.id, entry.iteration)
        if _is_done(repository.examination(campaign.id, iteration.number)):
            raise WrongStateError(
                f"the candidate of iteration {iteration.number} has seen the holdout already",
                hint="Its verdict stands: a repetition shows nothing new.",
                state=campaign.state,
            )
        self._workshop.examiner.enter_opening(campaign, subject_of(iteration), actor)
        return iteration

    async def run(self, campaign: Campaign, iterations: Sequence[Iteration]) -> None:
        """Make all checks that are missing, replay the holdout and store the new verdict.

        What cannot be done now is logged: the opening is in the ledger, and the next start, or the
        same call of the operator, goes on with it.

        Args:
            campaign: A completed one.
            iterations: Those whose candidates are let see the holdout, one after the other.
        """
        shop = self._workshop
        notify = listener(shop.bus, campaign.id)
        try:
            for iteration in iterations:
                try:
                    await shop.examiner.examine(campaign, iteration, notify)
                    await shop.examiner.open_holdout(campaign, iteration, "", notify)
                    concluded = await uninterrupted(lambda: self._conclude(campaign.id))
                    await asyncio.to_thread(shop.reports.after_step, concluded, None)
                except StratlabError as error:
                    _LOG.warning("holdout_not_replayed", campaign=campaign.id, reason=str(error))
        finally:
            shop.bus.notify(campaign.id)

    def unfinished(self) -> Sequence[tuple[Campaign, Sequence[Iteration]]]:
        """Return what was begun and not finished when the last controller ended, by campaign."""
        repository = self._workshop.repository
        opened: dict[str, list[int]] = {}
        for opening in repository.holdout_openings():
            opened.setdefault(opening.subject.campaign_id, []).append(opening.subject.iteration)
        found = []
        for campaign_id, numbers in opened.items():
            campaign = repository.get_campaign(campaign_id)
            if campaign.state is not CampaignState.COMPLETED:
                continue
            unjudged = self._unjudged(campaign)
            missing = [
                repository.get_iteration(campaign_id, number)
                for number in dict.fromkeys(numbers)
                if not _is_done(repository.examination(campaign_id, number))
                or (unjudged is not None and unjudged.subject.iteration == number)
            ]
            if missing:
                found.append((campaign, missing))
        return found

    def _unjudged(self, campaign: Campaign) -> Examination | None:
        # The verdict is about whoever was opened last and replayed; a crash may have come between.
        repository = self._workshop.repository
        for opening in reversed(repository.holdout_openings(campaign_id=campaign.id)):
            examination = repository.examination(campaign.id, opening.subject.iteration)
            if examination is not None and _is_done(examination):
                return None if _is_judged(campaign, examination) else examination
        return None

    def _conclude(self, campaign_id: str) -> Campaign:
        shop = self._workshop
        campaign = shop.repository.get_campaign(campaign_id)
        examination, verdict = self._unjudged(campaign), campaign.verdict
        if examination is None:
            return campaign
        assert verdict is not None, "a completed campaign has a verdict"
        stopped = verdict.reasons[-1].removeprefix("stopped: ")
        concluded, (kind, payload) = conclude(shop.repository, campaign, examination, stopped)
        now = shop.clock.now()
        with shop.repository.transaction() as transaction:
            transaction.append_event(campaign.id, now, kind, payload)
            return transaction.save_campaign(replace(concluded, updated_at=now))


def _entry(
    entries: Sequence[HallOfFameEntry], number: int, candidate: str
) -> HallOfFameEntry | None:
    return next(
        (
            entry
            for entry in entries
            if not entry.provisional
            and (entry.iteration == number if number else entry.candidate_hash == candidate)
        ),
        None,
    )


def _is_done(examination: Examination | None) -> bool:
    return examination is not None and (
        examination.holdout is not None or CheckName.HOLDOUT in examination.failures
    )


def _is_judged(campaign: Campaign, examination: Examination) -> bool:
    verdict = campaign.verdict
    # Once it was replayed, the rule of the holdout, which is judged last, follows from that alone.
    holdout = judge_promotion(examination, ())[-1]
    return (
        verdict is not None
        and verdict.candidate == examination.subject.candidate_hash
        and holdout in verdict.rules
    )
