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


DEFAULT_SCREEN_POINTS = 64
"""Points that are screened where a specification does not say how many: half a second of work."""


@final
@dataclass(frozen=True, slots=True)
class ParameterSearch:
    """The search for parameters within one candidate.

    Attributes:
        sampler: Who proposes points.
        screen_points: Points evaluated on the host's train prices, without any foreign code,
            before the best ``parameter_points`` of them are run in the sandbox; 0: none, which
            is also what specifications of before there was a screen mean.
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


@final
@dataclass(frozen=True, slots=True)
class ArchiveCell:
    """A filled cell of an island, as it is shown.

    Attributes:
        island: Whose cell it is, from 0.
        style: What its elite bets on.
        turnover: Ends of its class of turnover, per year; the upper one is None for the last.
        drawdown: Ends of its class of drawdown, as positive fractions; the same.
        candidate: Hash of the elite.
        strategy_id: Identifier of the elite.
        iteration: That made the elite.
        origin: Island that the elite comes from: another one when it has moved.
        train_score: Of the elite.
        passed_gates: Whether the elite passed every gate.
    """

    island: int
    style: str
    turnover: tuple[float, float | None]
    drawdown: tuple[float, float | None]
    candidate: str
    strategy_id: str
    iteration: int
    origin: int
    train_score: float
    passed_gates: bool


def class_text(low: float, high: float | None) -> str:
    """Return the ends of a class for people: ``2-4``, or ``32 or more`` without an upper one."""
    return f"{low:g} or more" if high is None else f"{low:g}-{high:g}"
