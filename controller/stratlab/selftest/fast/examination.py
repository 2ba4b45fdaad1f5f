"""Examines the finalist of a campaign in memory, by the lab's own statistics and rules."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from stratlab.campaigns.finalist_returns import TrialSeries
from stratlab.contract.document import load_contract
from stratlab.domain.examination import (
    CausalityEvidence,
    Examination,
    HoldoutEvidence,
    HoldoutOpening,
    SealedReplayEvidence,
    StatisticsEvidence,
    Subject,
)
from stratlab.domain.gates import RuleStatus
from stratlab.domain.market import Tier
from stratlab.domain.returns import ExcessReturns
from stratlab.domain.statistics import DeflatedSharpes, Inconclusive, Insufficiency
from stratlab.domain.trial import Outcome
from stratlab.evaluation.promotion import (
    DEFLATED_SHARPE_RATIO,
    holdout_confidence,
    judge_promotion,
    may_open_holdout,
)
from stratlab.evaluation.statistics.bounds import sharpe_bound
from stratlab.evaluation.statistics.deflation import deflated_sharpe
from stratlab.evaluation.statistics.predictive_ability import predictive_ability
from stratlab.evaluation.trial_count import count_trials
from stratlab.evaluation.verdict import finalist_of

if TYPE_CHECKING:
    from stratlab.domain.campaign import Iteration
    from stratlab.domain.ports import Artifacts
    from stratlab.selftest.fast.campaign import FastCampaign
    from stratlab.selftest.fast.market import WorldMarket

_COMPILED = (
    "a contract that was never run as code: the numpy evaluator gives its rules nothing of the "
    "future"
)


def examine(found: "FastCampaign", market: "WorldMarket") -> Examination | None:
    """Return what is found out about the finalist, None without one.

    Checks run in the order of their cost and end with the first rule that fails, for it decides:
    the test of all trials together is made only when the deflated Sharpe ratio passed, and the
    holdout is opened only when every other rule did. What is reported but is no rule is left out.

    Args:
        found: A campaign that has come to its end.
        market: Its world.
    """
    entry = finalist_of(found.hall_of_fame)
    if entry is None:
        return None
    iteration = found.iteration(entry.iteration)
    examination = Examination(
        Subject(found.campaign.id, entry.iteration, entry.candidate_hash, dict(entry.parameters)),
        causality=CausalityEvidence(Outcome.SUCCEEDED, _COMPILED),
        sealed_replay=SealedReplayEvidence(Outcome.SUCCEEDED, _COMPILED, 0),
        statistics=_statistics(found, iteration, market),
    )
    if not may_open_holdout(examination, found.iterations):
        return examination
    return replace(examination, holdout=_holdout(found, iteration, examination.subject))


def finalist_returns(found: "FastCampaign", iteration: "Iteration", tier: Tier) -> ExcessReturns:
    """Return what the chosen point of an iteration earns on a tier in excess of the benchmark."""
    candidate, evaluation = iteration.candidate, iteration.evaluation
    assert candidate is not None, "it was evaluated"
    assert evaluation is not None, "it was judged"
    return found.trials.excess(load_contract(candidate.contract), evaluation.parameters, tier)


def _statistics(
    found: "FastCampaign", iteration: "Iteration", market: "WorldMarket"
) -> StatisticsEvidence:
    # All that the series read of artefacts is equity.
    series = TrialSeries(found.campaign, cast("Artifacts", found.trials), market)
    returns = series.of_finalist(iteration)
    assert returns is not None, "a finalist has metrics on both tiers"
    counts = count_trials(found.points, found.iterations)
    deflated = deflated_sharpe(returns, counts.counted)
    evidence = StatisticsEvidence(
        counts=counts,
        sharpe=_NOT_MADE,
        bound=_NOT_MADE,
        probabilistic=_NOT_MADE,
        track_record=_NOT_MADE,
        deflated=DeflatedSharpes(deflated, _NOT_MADE, _NOT_MADE, _NOT_MADE),
        spa=_NOT_MADE,
        overfitting=_NOT_MADE,
        regimes=_NOT_MADE,
    )
    if not _passes(evidence, DEFLATED_SHARPE_RATIO):
        return evidence
    everything = series.of_all(found.iterations)
    assert everything is not None, "the finalist is among them"
    return replace(evidence, spa=predictive_ability(everything, seed=found.campaign.spec.seed))


def _passes(evidence: StatisticsEvidence, name: str) -> bool:
    rules = judge_promotion(Examination(_NOBODY, statistics=evidence), ())
    return any(rule.name == name and rule.status is RuleStatus.PASSED for rule in rules)


def _holdout(found: "FastCampaign", iteration: "Iteration", subject: Subject) -> HoldoutEvidence:
    campaign, looks = found.campaign, 1
    opening = HoldoutOpening(
        number=1,
        data_set=campaign.spec.data_set,
        data_digest=campaign.data_digest,
        subject=subject,
        look="",
        looks=looks,
        actor="",
        at=campaign.updated_at,
    )
    returns = finalist_returns(found, iteration, Tier.HOLDOUT)
    bound = sharpe_bound(returns, confidence=holdout_confidence(looks), seed=campaign.spec.seed)
    return HoldoutEvidence(opening, Outcome.SUCCEEDED, "traded by the numpy evaluator", bound)


_NOBODY = Subject("", 0, "", {})

_NOT_MADE = Inconclusive(
    "selftest", Insufficiency.NOT_ESTIMABLE, "not made: nothing depends on it", 0
)
