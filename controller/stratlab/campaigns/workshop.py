"""What the campaign loop works with, and what a step of it wants to have committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from stratlab.campaigns.arms import ReferenceArms
from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.examination import Examiner
from stratlab.campaigns.reports import Reports
from stratlab.campaigns.screening_step import StepEvent
from stratlab.campaigns.trials import TrialDesk
from stratlab.domain.campaign import Campaign, CampaignState, HallOfFameEntry, Iteration
from stratlab.domain.points import Point
from stratlab.domain.ports import (
    Artifacts,
    Clock,
    Critic,
    Evaluator,
    Generator,
    Repository,
    Screener,
)
from stratlab.domain.spending import Ledger
from stratlab.domain.strategy import GeneratorKind
from stratlab.search.parameters_screen import ParameterScreen


@final
@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything the loop works with."""

    repository: Repository
    artifacts: Artifacts
    desk: TrialDesk
    screener: Screener
    generators: Mapping[GeneratorKind, Generator]
    parameters: ParameterScreen
    critic: Critic
    evaluator: Evaluator
    examiner: Examiner
    arms: ReferenceArms
    ledger: Ledger
    reports: Reports
    bus: EventBus
    clock: Clock


@final
@dataclass(slots=True)
class Step:
    """What a step wants to have committed."""

    to_state: CampaignState
    reason: str
    iteration: Iteration | None = None
    events: list[StepEvent] = field(default_factory=list)
    hall_of_fame: tuple[HallOfFameEntry, ...] | None = None
    points: tuple[Point, ...] = ()
    campaign: Campaign | None = None
