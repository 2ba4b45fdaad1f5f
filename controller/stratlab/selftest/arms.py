"""How a world is searched: by the lab, by parts of it, or at random; always by the same rules."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, final

from stratlab.campaigns.critic import RuleCritic
from stratlab.domain.campaign import CampaignSpec, StopRules
from stratlab.domain.search import DEFAULT_SCREEN_POINTS, ParameterSearch, Sampler
from stratlab.generation import templates_for
from stratlab.search import FactorGraphGenerator
from stratlab.selftest.fast.market import NAME
from stratlab.selftest.random_mutation import RandomCritic, UninformedGenerator
from stratlab.selftest.random_search import RandomSearch

if TYPE_CHECKING:
    from stratlab.domain.ports import Critic, Generator


@final
class Arm(StrEnum):
    """Who searches, and what is counted.

    ``lab`` is a campaign as it is by default: templates evolve, and of many points that the host
    screens on train prices the best one is run and counted. ``counted`` runs every point that it
    looks at, so that all of them are in N. ``random`` draws as many candidates and points as
    ``counted`` without looking at any result.

    Two are ``lab`` without its critic. In ``evolution`` the operator is drawn at random, and the
    parent is the generator's choice among elites; in ``mutation`` both are drawn, and no result is
    looked at before the campaign ends but to choose the point of each candidate.
    """

    LAB = "lab"
    COUNTED = "counted"
    RANDOM = "random"
    EVOLUTION = "evolution"
    MUTATION = "mutation"


RIVALS = (Arm.EVOLUTION, Arm.MUTATION)
"""What the critic of ``lab`` is compared with."""

_SCREENED = (Arm.LAB, *RIVALS)


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """How long a campaign searches.

    Attributes:
        iterations: Candidates.
        points: Of each candidate where all are counted; N is their product.
    """

    iterations: int
    points: int


def spec_of(arm: Arm, budget: Budget, symbols: tuple[str, ...], seed: int) -> CampaignSpec:
    """Return the specification of a campaign: the defaults, but for the search."""
    return CampaignSpec(
        display_name=f"selftest {arm} {seed}",
        data_set=NAME,
        markets=(symbols,),
        parameter_points=1 if arm in _SCREENED else budget.points,
        parameter_search=ParameterSearch(
            sampler=Sampler.RANDOM,
            screen_points={Arm.COUNTED: budget.points, Arm.RANDOM: 0}.get(
                arm, DEFAULT_SCREEN_POINTS
            ),
        ),
        stop_rules=StopRules(
            max_iterations=budget.iterations,
            max_wall_seconds=None,
            max_consecutive_failures=None,
            max_drawdown_breach=None,
        ),
        seed=seed,
    )


def generator_of(arm: Arm, spec: CampaignSpec) -> "Generator":
    """Return who writes the candidates of a campaign."""
    templates = templates_for(spec)
    if arm is Arm.RANDOM:
        return RandomSearch(lambda _: templates)
    evolving = FactorGraphGenerator(lambda _: templates)
    return UninformedGenerator(evolving) if arm is Arm.MUTATION else evolving


def critic_of(arm: Arm) -> "Critic":
    """Return who says what is changed next."""
    if arm in RIVALS:
        return RandomCritic(draws_parent=arm is Arm.MUTATION)
    return RuleCritic()
