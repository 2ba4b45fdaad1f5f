"""The loop of a campaign without store and containers: the same steps, judged by the same code."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, final

from stratlab.campaigns.feedback import write_feedback
from stratlab.campaigns.hall_of_fame import admit
from stratlab.campaigns.history import History
from stratlab.campaigns.stop_rules import Progress, first_stop
from stratlab.domain.campaign import Campaign, CampaignState, Iteration
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.market import Tier
from stratlab.domain.points import Point
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation.judgement import judge_iteration
from stratlab.selftest.fast.screen import RandomScreen
from stratlab.selftest.fast.trials import FastTrials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stratlab.domain.campaign import CampaignSpec, HallOfFameEntry
    from stratlab.domain.ports import Critic, Generator
    from stratlab.domain.strategy import Candidate
    from stratlab.domain.trial import TrialResult
    from stratlab.search.parameters import ScoredPoint
    from stratlab.selftest.fast.market import WorldMarket

_THEN = datetime(2000, 1, 1, tzinfo=UTC)


@final
@dataclass(frozen=True, slots=True)
class FastCampaign:
    """A campaign that has come to its stop rule.

    Attributes:
        campaign: Its specification.
        iterations: All of them, in order.
        hall_of_fame: The champion first.
        points: What the screens judged.
        trials: What every trial earned.
        stop_reason: One sentence.
    """

    campaign: Campaign
    iterations: tuple[Iteration, ...]
    hall_of_fame: "tuple[HallOfFameEntry, ...]"
    points: "tuple[Point, ...]"
    trials: FastTrials
    stop_reason: str

    def iteration(self, number: int) -> Iteration:
        """Return one of the iterations; numbers start at 1."""
        return self.iterations[number - 1]


def run_campaign(
    spec: "CampaignSpec", market: "WorldMarket", generator: "Generator", critic: "Critic"
) -> FastCampaign:
    """Run a campaign until its stop rule; a function of its arguments.

    What is left out of the real loop decides nothing: screening of source, for contracts are
    compiled by ourselves; crash safety; and two ways to save trials of what was tried before, by
    comparing the points and the returns of candidates.

    Args:
        spec: With a bound on the iterations.
        market: Its world.
        generator: Writes candidates with contracts.
        critic: Says what it changes next.
    """
    campaign = Campaign(
        id="selftest",
        spec=spec,
        data_digest=market.get(spec.data_set).digest,
        state=CampaignState.CAMPAIGN_RUNNING,
        created_at=_THEN,
        updated_at=_THEN,
    )
    trials, history = FastTrials(campaign, market), History()
    screen = RandomScreen(market, spec, trials.judge)
    iterations: list[Iteration] = []
    points: list[Point] = []
    entries: tuple[HallOfFameEntry, ...] = ()
    critique = None
    while True:
        campaign = replace(campaign, iteration=campaign.iteration + 1)
        iteration = Iteration(campaign.id, campaign.iteration, _THEN, ended_at=_THEN)
        request = GenerationRequest(
            campaign, campaign.iteration, tuple(history.summaries), critique
        )
        try:
            candidate = generator.generate(request)
            chosen, judged = screen.points(candidate)
        except InvalidInputError as error:
            iteration = replace(iteration, failure=str(error))
        else:
            candidate = replace(candidate, parameter_points=chosen)
            points += _registered(campaign, candidate, judged)
            results = _results(campaign, candidate, trials)
            iteration = replace(
                iteration,
                candidate=candidate,
                results=tuple(results),
                evaluation=judge_iteration(campaign, results),
            )
        iteration = replace(iteration, feedback=write_feedback(iteration))
        iterations.append(iteration)
        known = _without_points(iteration)
        latest = history.summarise(known)
        history.append(known)
        entries = admit(entries, iteration)
        stop = first_stop(spec.stop_rules, Progress(history.outlines, 0.0))
        if stop is not None:
            return FastCampaign(
                campaign, tuple(iterations), entries, tuple(points), trials, str(stop)
            )
        critique = critic.criticise(request, latest)


def _registered(
    campaign: Campaign, candidate: "Candidate", judged: "Iterable[ScoredPoint]"
) -> "Iterator[Point]":
    for point in judged:
        yield Point(
            campaign_id=campaign.id,
            iteration=campaign.iteration,
            candidate=candidate.hash,
            parameters=point.parameters,
            purpose=TrialPurpose.SCREEN,
            score=point.score,
        )


def _without_points(iteration: Iteration) -> Iteration:
    # Comparing every point with every other takes longer than trading them all.
    candidate = iteration.candidate
    if candidate is None:
        return iteration
    return replace(iteration, candidate=replace(candidate, parameter_points=()))


def _results(campaign: Campaign, candidate: "Candidate", trials: FastTrials) -> "list[TrialResult]":
    # As the real loop has it: train for every point, validation for the best one.
    points = candidate.parameter_points or (candidate.parameters,)
    results = trials.run(campaign, candidate, Tier.TRAIN, points)
    if any(result.outcome is Outcome.SUCCEEDED for result in results):
        best = judge_iteration(campaign, results).parameters
        results += trials.run(campaign, candidate, Tier.VALIDATION, [best], len(results))
    return results
