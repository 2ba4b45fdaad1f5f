"""Examines candidates: every check is one persisted step that a crash repeats at most once."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import structlog

from stratlab.campaigns.finalist_returns import chosen_results
from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.holdout import Holdout
from stratlab.campaigns.sealed_trials import SealedTrials, replayed
from stratlab.campaigns.trials import Listener
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.causality import CausalityDesk
from stratlab.domain.checks import RobustnessDesk, StatisticsDesk
from stratlab.domain.errors import (
    IntegrityError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
)
from stratlab.domain.events import EventKind
from stratlab.domain.examination import (
    CausalityEvidence,
    CheckName,
    Examination,
    HoldoutMode,
    Subject,
)
from stratlab.domain.ports import Clock, Repository
from stratlab.domain.trial import Outcome
from stratlab.evaluation.promotion import may_open_holdout

_LOG = structlog.get_logger(__name__)


@final
@dataclass(frozen=True, slots=True)
class Desks:
    """What makes the checks."""

    causality: CausalityDesk
    sealed: SealedTrials
    statistics: StatisticsDesk
    robustness: RobustnessDesk
    holdout: Holdout


@final
class Examiner:
    """Makes the checks of a candidate that are not stored yet, in their order, and stores each.

    Args:
        repository: Where examinations are.
        clock: For the audit.
        desks: What makes the checks.
    """

    def __init__(self, repository: Repository, clock: Clock, desks: Desks) -> None:
        self._repository = repository
        self._clock = clock
        self._desks = desks

    async def admit(
        self, campaign: Campaign, iteration: Iteration, notify: Listener
    ) -> CausalityEvidence:
        """Put a candidate to the causality test, which goes before any entry to the hall of fame.

        Args:
            campaign: In any iteration.
            iteration: Whose candidate passed every gate.
            notify: Told of every sign of life, and with None after something was stored.

        Raises:
            UnavailableError: Nothing can be run at all; nothing is lost.
        """
        candidate, results = iteration.candidate, chosen_results(iteration)
        assert candidate is not None, "what passed the gates has a candidate"
        found_in = replace(campaign, iteration=iteration.number)
        done = await self._check(
            campaign,
            iteration,
            CheckName.CAUSALITY,
            lambda: self._desks.causality.examine(found_in, candidate, results),
            notify,
        )
        if done.causality is None:
            reason = done.failures[CheckName.CAUSALITY]
            return CausalityEvidence(Outcome.INFRASTRUCTURE, reason)
        return done.causality

    async def examine(
        self, campaign: Campaign, iteration: Iteration, notify: Listener
    ) -> Examination:
        """Make every check but that of the holdout.

        Raises:
            UnavailableError: Nothing can be run at all; nothing is lost.
        """
        desks = self._desks
        await self.admit(campaign, iteration, notify)
        checks: Mapping[CheckName, Callable[[], Awaitable[object]]] = {
            CheckName.SEALED_REPLAY: lambda: replayed(desks.sealed, campaign, iteration, notify),
            CheckName.STATISTICS: lambda: asyncio.to_thread(
                desks.statistics.examine, campaign, iteration
            ),
            CheckName.ROBUSTNESS: lambda: desks.robustness.examine(campaign, iteration, notify),
        }
        for name, make in checks.items():
            await self._check(campaign, iteration, name, make, notify)
        return await asyncio.to_thread(self._stored, iteration)

    async def examine_finalist(
        self, campaign: Campaign, iteration: Iteration, notify: Listener
    ) -> Examination:
        """Make every check of a finalist; the holdout is opened only after all other rules passed.

        The lab opens it once in a campaign and in no other mode than ``once_for_finalist``.

        Raises:
            UnavailableError: Nothing can be run at all; nothing is lost.
        """
        done = await self.examine(campaign, iteration, notify)
        if campaign.spec.holdout is HoldoutMode.MANUAL:
            return done
        iterations = await asyncio.to_thread(all_iterations, self._repository, campaign.id)
        if not may_open_holdout(done, iterations):
            return done
        openings = await asyncio.to_thread(
            self._repository.holdout_openings, campaign_id=campaign.id
        )
        if any(opening.subject != done.subject for opening in openings):
            return done
        return await self.open_holdout(campaign, iteration, "", notify)

    def enter_opening(self, campaign: Campaign, subject: Subject, actor: str) -> None:
        """Enter an opening of the holdout into the ledger, before anything is run.

        Raises:
            InvalidSpecError: The data set has no holdout.
        """
        self._desks.holdout.open(campaign, subject, actor)

    async def open_holdout(
        self, campaign: Campaign, iteration: Iteration, actor: str, notify: Listener
    ) -> Examination:
        """Open the holdout for a candidate, whatever other rules say; counted in the ledger.

        Raises:
            UnavailableError: Nothing can be run at all; the opening stays in the ledger.
        """
        desk, subject = self._desks.holdout, subject_of(iteration)
        return await self._check(
            campaign,
            iteration,
            CheckName.HOLDOUT,
            lambda: desk.examine(campaign, iteration, subject, actor, notify),
            notify,
        )

    async def _check(
        self,
        campaign: Campaign,
        iteration: Iteration,
        name: CheckName,
        make: Callable[[], Awaitable[object]],
        notify: Listener,
    ) -> Examination:
        before = await asyncio.to_thread(self._stored, iteration)
        if getattr(before, name) is not None or name in before.failures:
            return before
        change: dict[str, Any]
        try:
            evidence = await make()
        except (InvalidInputError, IntegrityError, LimitExceededError, NotFoundError) as error:
            # What cannot be done with what there is will not be possible later either.
            _LOG.warning("check_not_made", campaign=campaign.id, check=name, reason=str(error))
            evidence, change = None, {"failures": {**before.failures, name: str(error)}}
        else:
            change = {name.value: evidence}
        after = replace(before, **change)
        await uninterrupted(lambda: self._save(after, name, evidence))
        notify(None)
        return after

    def _stored(self, iteration: Iteration) -> Examination:
        stored = self._repository.examination(iteration.campaign_id, iteration.number)
        return stored or Examination(subject_of(iteration))

    def _save(self, examination: Examination, name: CheckName, evidence: Any) -> None:  # noqa: ANN401 (a dataclass of any check)
        subject = examination.subject
        content = None if evidence is None else asdict(evidence)
        text = json.dumps(content, default=str, sort_keys=True)
        with self._repository.transaction() as transaction:
            transaction.save_examination(examination)
            transaction.append_event(
                subject.campaign_id,
                self._clock.now(),
                EventKind.CHECK_FINISHED,
                {
                    "check": name.value,
                    "iteration": subject.iteration,
                    "candidate": subject.candidate_hash,
                    "outcome": str(getattr(evidence, "outcome", "")),
                    "failure": examination.failures.get(name, ""),
                    "reason": getattr(evidence, "reason", ""),
                    "evidence_digest": hashlib.sha256(text.encode()).hexdigest(),
                },
            )


def subject_of(iteration: Iteration) -> Subject:
    """Return whom an examination of an iteration is about: its candidate, its chosen point."""
    candidate, evaluation = iteration.candidate, iteration.evaluation
    assert candidate is not None, "what is examined has a candidate"
    assert evaluation is not None, "what is examined was evaluated"
    return Subject(
        iteration.campaign_id, iteration.number, candidate.hash, dict(evaluation.parameters)
    )
