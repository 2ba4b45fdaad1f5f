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

    async def run(self, campaign: Campaign, iteration: Iteration) -> None:
        """Make all checks that are missing, replay the holdout and store the new verdict.

        What cannot be done now is logged: the opening is in the ledger, and the next start, or the
        same call of the operator, goes on with it.
        """
        shop = self._workshop
        notify = listener(shop.bus, campaign.id)
        try:
            await shop.examiner.examine(campaign, iteration, notify)
            examination = await shop.examiner.open_holdout(campaign, iteration, "", notify)
            concluded = await uninterrupted(lambda: self._conclude(campaign, examination))
            await asyncio.to_thread(shop.reports.after_step, concluded, None)
        except StratlabError as error:
            _LOG.warning("holdout_not_replayed", campaign=campaign.id, reason=str(error))
        finally:
            shop.bus.notify(campaign.id)

    def unfinished(self) -> Sequence[tuple[Campaign, Iteration]]:
        """Return what was begun and not finished when the last controller ended."""
        repository = self._workshop.repository
        latest = {o.subject.campaign_id: o.subject for o in repository.holdout_openings()}
        found = []
        for subject in latest.values():
            campaign = repository.get_campaign(subject.campaign_id)
            examination = repository.examination(campaign.id, subject.iteration)
            completed = campaign.state is CampaignState.COMPLETED
            if completed and not _is_judged(campaign, examination):
                found.append((campaign, repository.get_iteration(campaign.id, subject.iteration)))
        return found

    def _conclude(self, campaign: Campaign, examination: Examination) -> Campaign:
        shop, verdict = self._workshop, campaign.verdict
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


def _is_judged(campaign: Campaign, examination: Examination | None) -> bool:
    # The replay may be stored and the verdict not.
    if examination is None or not _is_done(examination) or campaign.verdict is None:
        return False
    rules = judge_promotion(examination, campaign.spec.holdout)
    same = campaign.verdict.candidate == examination.subject.candidate_hash
    return same and campaign.verdict.rules == rules
