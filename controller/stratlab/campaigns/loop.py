"""Drives one campaign through its state machine, one persisted step at a time.

Every step computes first and then commits state, results and events in one transaction, so a
controller that is killed at any instant repeats at most the step it was in. Steps are functions
of what is stored and of the campaign's seed: a repeated step gives the same result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

from stratlab.campaigns.conclusion import conclude
from stratlab.campaigns.drafting import draft_candidate
from stratlab.campaigns.feedback import write_feedback
from stratlab.campaigns.hall_of_fame import admit, may_enter, retested
from stratlab.campaigns.history import History, all_iterations
from stratlab.campaigns.iteration_trials import IterationTrials
from stratlab.campaigns.screening_step import SmokeGate, StepEvent, joined, screened_event
from stratlab.campaigns.stop_rules import Progress, StopReason, first_stop
from stratlab.campaigns.transitions import record_transition
from stratlab.campaigns.trials import Listener
from stratlab.campaigns.twins import Twins
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.campaigns.watching import listener
from stratlab.campaigns.workshop import Step, Workshop
from stratlab.domain.campaign import (
    REVIEW_DECLINED_REASON,
    REVIEW_REASON,
    Campaign,
    CampaignState,
    HallOfFameEntry,
    HallOfFameTier,
    Iteration,
)
from stratlab.domain.errors import InvalidInputError, NothingNovelError
from stratlab.domain.events import EventKind
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.search import ReviewMode
from stratlab.domain.strategy import Author, ScreeningReport
from stratlab.evaluation import finalist_of


@final
class CampaignLoop:
    """Runs one campaign until a final state."""

    def __init__(self, workshop: Workshop, campaign: Campaign) -> None:
        self._workshop = workshop
        self._campaign = campaign
        self._history = History()
        self._twins = Twins(workshop.repository, workshop.artifacts)
        self._mark = 0.0
        self._steps: Mapping[CampaignState, Callable[[], Awaitable[Step]]] = {
            CampaignState.QUEUED: self._begin_iteration,
            CampaignState.REFINEMENT_PLANNED: self._begin_iteration,
            CampaignState.BRIEF_GENERATED: self._generate,
            CampaignState.CODE_GENERATED: self._screen,
            CampaignState.CAMPAIGN_RUNNING: self._run,
            CampaignState.CAMPAIGN_EVALUATED: self._decide,
        }

    async def run(self) -> Campaign:
        """Continue from the stored state until it is final, or paused for a review.

        Raises:
            UnavailableError: Containers cannot be run at all; nothing is lost.
        """
        shop = self._workshop
        self._mark = shop.clock.monotonic()
        stored = await asyncio.to_thread(all_iterations, shop.repository, self._campaign.id)
        self._history = History([i for i in stored if i.ended_at and self._is_past(i)])
        while self._campaign.state in self._steps:
            step = await self._steps[self._campaign.state]()
            await uninterrupted(lambda step=step: self._commit(step))  # type: ignore[misc]
            shop.bus.notify(self._campaign.id)
        return self._campaign

    def _is_past(self, iteration: Iteration) -> bool:
        # The iteration that `_decide` still has to judge is added to the history there.
        current = iteration.number == self._campaign.iteration
        return not current or self._campaign.state is CampaignState.REFINEMENT_PLANNED

    def _commit(self, step: Step) -> None:
        shop, before = self._workshop, self._campaign
        now, mark = shop.clock.now(), shop.clock.monotonic()
        after = replace(
            step.campaign or before,
            state=step.to_state,
            state_reason=step.reason,
            updated_at=now,
            working_seconds=before.working_seconds + (mark - self._mark),
        )
        with shop.repository.transaction() as transaction:
            if step.iteration is not None:
                transaction.save_iteration(step.iteration)
            if step.hall_of_fame is not None:
                transaction.save_hall_of_fame(before.id, step.hall_of_fame)
            transaction.register_points(before.id, step.points)
            for kind, payload in step.events:
                transaction.append_event(before.id, now, kind, payload)
            self._campaign = record_transition(transaction, before, after)
        self._mark = mark
        shop.reports.after_step(self._campaign, step.iteration)

    async def _begin_iteration(self) -> Step:
        number = self._campaign.iteration + 1
        iteration = Iteration(self._campaign.id, number, self._workshop.clock.now())
        return Step(
            CampaignState.BRIEF_GENERATED,
            "ITERATION_STARTED",
            iteration=iteration,
            events=[(EventKind.ITERATION_STARTED, {"iteration": number})],
            campaign=replace(self._campaign, iteration=number),
        )

    async def _generate(self) -> Step:
        iteration = await self._current()
        generator = self._workshop.generators[self._campaign.spec.generator]
        request = await self._request(iteration.number)
        try:
            draft = await asyncio.to_thread(
                draft_candidate, generator, self._workshop.parameters, request
            )
        except NothingNovelError as error:
            return self._ended(_not_generated(iteration, error), error.reason)
        except InvalidInputError as error:
            return self._ended(_not_generated(iteration, error), "GENERATION_FAILED")
        lineage = draft.candidate.lineage
        return Step(
            CampaignState.CODE_GENERATED,
            "CANDIDATE_GENERATED",
            iteration=replace(
                iteration,
                candidate=draft.candidate,
                patch=draft.patch,
                model=lineage.model,
                prompt=lineage.prompt,
            ),
            events=[(EventKind.CANDIDATE_GENERATED, draft.payload)],
            points=draft.points,
        )

    async def _screen(self) -> Step:
        iteration = await self._current()
        candidate = iteration.candidate
        assert candidate is not None, "code_generated has a candidate"
        if self._campaign.state_reason == REVIEW_DECLINED_REASON:
            return self._ended(replace(iteration, failure="declined in review"), "DECLINED")
        report = await asyncio.to_thread(
            self._workshop.screener.screen, candidate.source, Author.MODEL
        )
        iteration = replace(iteration, screening=report)
        event = screened_event(iteration, report)
        return self._stopped_by(report, iteration, event) or Step(
            CampaignState.CAMPAIGN_RUNNING, "SCREENING_PASSED", iteration=iteration, events=[event]
        )

    def _stopped_by(
        self, news: ScreeningReport, iteration: Iteration, event: StepEvent
    ) -> Step | None:
        # What the findings that are new do to the campaign; None when it goes on.
        if not news.passed:
            step = self._ended(replace(iteration, failure="screening rejected it"), "SCREENED_OUT")
            step.events.insert(0, event)
            return step
        if news.findings and self._campaign.spec.review is ReviewMode.REQUIRED:
            return Step(
                CampaignState.PAUSED,
                REVIEW_REASON,
                iteration=iteration,
                events=[event],
                campaign=replace(self._campaign, resume_state=CampaignState.CAMPAIGN_RUNNING),
            )
        return None

    async def _run(self) -> Step:
        shop, campaign = self._workshop, self._campaign
        iteration = await self._current()
        candidate, known = iteration.candidate, iteration.screening or ScreeningReport()
        assert candidate is not None, "campaign_running has a candidate"
        trials = IterationTrials(shop.repository, shop.desk, shop.evaluator)
        try:
            async with asyncio.timeout(self._remaining_seconds()):
                results = await trials.run(campaign, candidate, self._listener())
        except TimeoutError:
            iteration = await self._current()
            return self._ended(replace(iteration, failure="the wall clock ran out"), "WALL_CLOCK")
        events: list[StepEvent] = []
        news = SmokeGate(known, campaign.spec.review).news(results)
        iteration = replace(iteration, results=tuple(results), screening=joined(known, news))
        if news.findings:
            events.append(screened_event(iteration, news))
            if stopped := self._stopped_by(news, iteration, events[0]):
                return stopped
        evaluation = await asyncio.to_thread(shop.evaluator.evaluate, campaign, results)
        iteration = replace(iteration, evaluation=evaluation)
        if may_enter(evaluation):
            found = await shop.examiner.admit(campaign, iteration, self._listener())
            if not found.is_clean:
                iteration = replace(iteration, failure=f"{found.outcome}: {found.reason}")
        twin = await asyncio.to_thread(self._twins.better, campaign, iteration, self._history)
        step = self._ended(replace(iteration, duplicate_of=twin), "TRIALS_FINISHED")
        step.events[:0] = events
        return step

    def _listener(self) -> Listener:
        return listener(self._workshop.bus, self._campaign.id)

    def _remaining_seconds(self) -> float | None:
        bound = self._campaign.spec.stop_rules.max_wall_seconds
        return None if bound is None else max(bound - self._campaign.working_seconds, 0.0)

    def _ended(self, iteration: Iteration, reason: str) -> Step:
        ended = replace(
            iteration, ended_at=self._workshop.clock.now(), feedback=write_feedback(iteration)
        )
        evaluation = ended.evaluation
        payload: dict[str, object] = {
            "iteration": ended.number,
            "failure": ended.failure,
            "level": int(evaluation.level) if evaluation else 0,
            "score": evaluation.score if evaluation else None,
            "passed_gates": evaluation.passed_gates if evaluation else False,
            "duplicate_of": ended.duplicate_of,
        }
        return Step(
            CampaignState.CAMPAIGN_EVALUATED,
            reason,
            iteration=ended,
            events=[(EventKind.ITERATION_EVALUATED, payload)],
        )

    async def _decide(self) -> Step:
        shop, campaign = self._workshop, self._campaign
        iteration = await self._current()
        request = await self._request(iteration.number)
        latest = self._history.summarise(iteration)
        self._history.append(iteration)
        entries = await asyncio.to_thread(shop.repository.hall_of_fame, campaign.id)
        ranked = admit(await self._tested(entries), iteration)
        events: list[StepEvent] = []
        changed = ranked != tuple(entries)
        if changed:
            champion = finalist_of(ranked)
            payload: dict[str, object] = {
                "champion": champion.candidate_hash if champion else "",
                "score": champion.score if champion else None,
            }
            events.append((EventKind.HALL_OF_FAME_CHANGED, payload))
        spent = await asyncio.to_thread(shop.ledger.spent, campaign.id)
        progress = Progress(
            self._history.outlines,
            campaign.working_seconds,
            tokens=spent.wanted_tokens,
            cost_usd=spent.wanted_micro_usd / 1e6,
        )
        stop = first_stop(campaign.spec.stop_rules, progress)
        if stop is not None:
            return await self._complete(stop, ranked, events)
        critique = await asyncio.to_thread(shop.critic.criticise, request, latest)
        events.append(
            (
                EventKind.CRITIQUE_WRITTEN,
                {"operator": critique.operator, "parent": critique.parent, "why": critique.reason},
            )
        )
        return Step(
            CampaignState.REFINEMENT_PLANNED,
            "NEXT_CHANGE_PLANNED",
            iteration=replace(iteration, critique=critique, validation_rank=latest.validation_rank),
            events=events,
            hall_of_fame=ranked if changed else None,
        )

    async def _complete(
        self,
        stop: StopReason,
        ranked: tuple[HallOfFameEntry, ...],
        events: list[StepEvent],
    ) -> Step:
        shop, campaign = self._workshop, self._campaign
        champion, finalist = finalist_of(ranked), None
        if champion is not None:
            iteration = await self._iteration(champion.iteration)
            finalist = await shop.examiner.examine_finalist(campaign, iteration, self._listener())
        await shop.arms.keep(campaign, self._listener())
        concluded, event = await asyncio.to_thread(
            conclude, shop.repository, campaign, finalist, str(stop)
        )
        return Step(
            CampaignState.COMPLETED,
            stop.rule,
            events=[*events, event],
            hall_of_fame=ranked,
            campaign=concluded,
        )

    async def _tested(self, entries: Sequence[HallOfFameEntry]) -> tuple[HallOfFameEntry, ...]:
        # An earlier version admitted without a causality test; those that lead are put to it now.
        provisional = [entry for entry in entries if entry.provisional]
        leading = [e for e in provisional if e.tier is not HallOfFameTier.ARCHIVE]
        passed = set()
        for entry in leading:
            iteration = await self._iteration(entry.iteration)
            found = await self._workshop.examiner.admit(self._campaign, iteration, self._listener())
            if found.is_clean:
                passed.add(entry.iteration)
        return retested(entries, passed) if leading else tuple(entries)

    async def _current(self) -> Iteration:
        return await self._iteration(self._campaign.iteration)

    async def _iteration(self, number: int) -> Iteration:
        return await asyncio.to_thread(
            self._workshop.repository.get_iteration, self._campaign.id, number
        )

    async def _request(self, iteration: int) -> GenerationRequest:
        critique = None
        if iteration > 1:
            critique = (await self._iteration(iteration - 1)).critique
        # A copy: the history grows while the request may still be read.
        return GenerationRequest(
            self._campaign, iteration, tuple(self._history.summaries), critique
        )


def _not_generated(iteration: Iteration, error: InvalidInputError) -> Iteration:
    told = error.data
    return replace(
        iteration,
        failure=str(error),
        model=told.get("model", ""),
        prompt=told.get("prompt", ""),
    )
