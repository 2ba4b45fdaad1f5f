"""Runs one campaign in one world and writes down what the lab made of it, beside the truth."""

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, final

from stratlab.domain.gates import RuleStatus, VerdictKind
from stratlab.domain.market import Tier
from stratlab.domain.statistics import SharpeEstimate
from stratlab.evaluation.statistics.sharpe import estimate_sharpe
from stratlab.evaluation.trial_count import count_trials
from stratlab.evaluation.verdict import finalist_of, reach_verdict
from stratlab.selftest.arms import Arm, Budget, critic_of, generator_of, spec_of
from stratlab.selftest.fast.campaign import FastCampaign, run_campaign
from stratlab.selftest.fast.examination import examine, finalist_returns
from stratlab.selftest.fast.market import WorldMarket
from stratlab.selftest.worlds import Recipe, World, make_world

if TYPE_CHECKING:
    from stratlab.domain.returns import ExcessReturns


NO_FINALIST = "gates"
"""What decided where no candidate passed every gate."""


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """What became of one campaign in one world. Sharpe ratios are annual and in excess.

    Attributes:
        recipe: Of the world.
        arm: Who searched.
        verdict: What the lab said.
        failed_rule: The first rule that did not pass, "" when all did; :data:`NO_FINALIST`.
        trials: N.
        screened: Points that were judged on train prices only.
        oracle_planted: What the oracle was expected to earn, None without one.
        oracle_holdout: What it did earn on the holdout; 0 without one: the benchmark's own.
        finalist_holdout: What the finalist earned there, whether the lab looked or not; None
            without one.
        seconds: How long the campaign took.
    """

    recipe: Recipe
    arm: Arm
    verdict: VerdictKind
    failed_rule: str
    trials: int
    screened: int
    oracle_planted: float | None
    oracle_holdout: float
    finalist_holdout: float | None
    seconds: float

    @property
    def is_promoted(self) -> bool:
        """Whether the lab said that there is something."""
        return self.verdict is VerdictKind.PROMOTE_CANDIDATE

    @property
    def earned(self) -> float:
        """Sharpe ratio on the holdout of what the search ended with: the benchmark without one."""
        return self.finalist_holdout or 0.0

    @property
    def regret(self) -> float:
        """Sharpe ratio on the holdout that the oracle had more than what was promoted.

        Whoever promotes nothing holds the benchmark, whose excess is 0.
        """
        return self.oracle_holdout - (self.earned if self.is_promoted else 0.0)


def measure(recipe: Recipe, arm: Arm, budget: Budget) -> Measurement:
    """Return what a campaign finds in a world; a function of its arguments, but for the time."""
    began = monotonic()
    world = make_world(recipe)
    market = WorldMarket(world)
    spec = spec_of(arm, budget, world.panel.symbols, recipe.seed)
    found = run_campaign(spec, market, generator_of(arm, spec), critic_of(arm))
    examination = examine(found, market)
    verdict = reach_verdict(found.iterations, examination, found.stop_reason)
    open_rules = [rule.name for rule in verdict.rules if rule.status is not RuleStatus.PASSED]
    if examination is None:
        open_rules = [NO_FINALIST]
    counts = count_trials(found.points, found.iterations)
    return Measurement(
        recipe=recipe,
        arm=arm,
        verdict=verdict.kind,
        failed_rule=open_rules[0] if open_rules else "",
        trials=counts.counted,
        screened=counts.screened_only,
        oracle_planted=world.oracle_sharpe,
        oracle_holdout=_oracle_on_holdout(world, found),
        finalist_holdout=_finalist_on_holdout(found),
        seconds=monotonic() - began,
    )


def _oracle_on_holdout(world: World, found: FastCampaign) -> float:
    if world.oracle is None:
        return 0.0
    return _annual(found.trials.excess(world.oracle, {}, Tier.HOLDOUT)) or 0.0


def _finalist_on_holdout(found: FastCampaign) -> float | None:
    entry = finalist_of(found.hall_of_fame)
    if entry is None:
        return None
    return _annual(finalist_returns(found, found.iteration(entry.iteration), Tier.HOLDOUT))


def _annual(returns: "ExcessReturns") -> float | None:
    estimate = estimate_sharpe(returns)
    return float(estimate.annual) if isinstance(estimate, SharpeEstimate) else None
