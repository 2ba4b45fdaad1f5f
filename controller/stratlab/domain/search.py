"""How a campaign searches: who approves, how parameters are sampled, how candidates evolve."""

from dataclasses import dataclass
from enum import StrEnum
from typing import final


@final
class ReviewMode(StrEnum):
    """Whether screening's warnings stop a campaign until somebody approves the candidate."""

    AUTO = "auto"
    REQUIRED = "required"


@final
class Sampler(StrEnum):
    """How points of a parameter space are proposed (optuna's samplers)."""

    TPE = "tpe"
    RANDOM = "random"
    CMAES = "cmaes"
    GRID = "grid"


@final
@dataclass(frozen=True, slots=True)
class ParameterSearch:
    """The search for parameters within one candidate.

    Attributes:
        sampler: Who proposes points.
        screen_points: Points evaluated on the host's train prices, without any foreign code,
            before the best ``parameter_points`` of them are run in the sandbox; 0: none.
    """

    sampler: Sampler = Sampler.TPE
    screen_points: int = 0


@final
@dataclass(frozen=True, slots=True)
class Islands:
    """Populations that evolve apart.

    Attributes:
        count: How many; iterations take turns.
        migration_interval: Iterations of an island after which its best elite moves to the next.
    """

    count: int = 3
    migration_interval: int = 4
