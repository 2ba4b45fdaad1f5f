"""Where use cases and adapters meet: the loop knows these protocols and nothing behind them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, final

from stratlab.domain.access import OWNER
from stratlab.domain.campaign import (
    Artifact,
    Campaign,
    Evaluation,
    HallOfFameEntry,
    Iteration,
    Transition,
)
from stratlab.domain.events import Event, EventKind
from stratlab.domain.examination import ExaminationReader, ExaminationRegister
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.market import DataSet, MarketSet, PricePanel, Tier
from stratlab.domain.points import PointReader, PointRegister
from stratlab.domain.spending import Ledger
from stratlab.domain.strategy import Author, Candidate, Critique, ScreeningReport
from stratlab.domain.trial import (
    EquityPoint,
    Limits,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialResult,
    TrialSpec,
)

ProgressListener = Callable[[TrialProgress], None]

FirstJudge = Callable[[TrialClaim], Awaitable[bool]]
"""Says, from the claim of a batch's first trial, whether the others are to be run."""

DEFAULT_LIMITS = Limits()
"""What a campaign has that asks for nothing else."""

POOL = "pool"
"""The campaign of a lease on a container that waits for work."""


class Clock(Protocol):
    """Time, replaceable in tests."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back."""
        ...


class Sandbox(Protocol):
    """Runs the trials of one candidate on one tier in one single-use container."""

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        """Run all trials of ``batch`` and return one claim each, in their order.

        A failing strategy is an outcome, never an exception. Cancelling the task that awaits
        this kills the container before the cancellation is delivered.

        Args:
            batch: What to run.
            on_progress: Told of every sign of life.
            judge_first: Asked when the first trial has ended and before the second begins, while
                the container waits. When it says no, or when the first trial could not be run
                (``INFRASTRUCTURE``, of which it is not asked), only that claim is returned.

        Raises:
            SandboxNotReadyError: Image missing or a limit unproven.
            EngineUnavailableError: No engine answers.
        """
        ...


class MarketData(Protocol):
    """Data sets as the host sees them."""

    def list(self) -> Sequence[DataSet]:
        """Return all data sets, sorted by name."""
        ...

    def get(self, name: str) -> DataSet:
        """Return one data set.

        Raises:
            DataSetNotFoundError: No data set has that name.
        """
        ...

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        """Return raw prices of ``market`` from the warm-up to the end of ``tier``.

        Raises:
            DataSetNotFoundError: No such data set or symbol.
        """
        ...

    def mount(self, name: str, tier: Tier, world: str = "") -> Path:
        """Return the directory that a container serving ``tier``, or a world of it, gets."""
        ...

    def verify(self, name: str) -> None:
        """Compare every byte with the manifest.

        Raises:
            DataSetCorruptError: A file is missing, added or changed; names it.
        """
        ...


class Screener(Protocol):
    """Judges source before a container is started."""

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        """Return the findings; no text makes it raise.

        Args:
            source: What to judge.
            author: Who wrote it.

        Raises:
            UnavailableError: Nothing can be screened right now.
        """
        ...


class Generator(Protocol):
    """Writes candidates."""

    def generate(self, request: GenerationRequest) -> Candidate:
        """Return the candidate for an iteration.

        Raises:
            InvalidContractError: No valid candidate could be made.
        """
        ...


class Critic(Protocol):
    """Proposes the next change."""

    def criticise(self, request: GenerationRequest, latest: IterationSummary) -> Critique:
        """Return the change for the iteration after ``latest``."""
        ...


class Evaluator(Protocol):
    """Turns claims into results and results into a judgement; believes no container."""

    def settle(
        self,
        spec: TrialSpec,
        claim: TrialClaim,
        prices: PricePanel,
        limits: Limits = DEFAULT_LIMITS,
    ) -> TrialResult:
        """Rebuild fills, equity and metrics of one trial from its order log.

        Args:
            spec: What was asked.
            claim: What the container says.
            prices: The host's prices up to the end of the trial's tier.
            limits: Of the trial's batch; a success beyond them is FORGED.
        """
        ...

    def evaluate(self, campaign: Campaign, results: Sequence[TrialResult]) -> Evaluation:
        """Judge one iteration by its results (all tiers, ordered by trial index)."""
        ...


class Transaction(PointRegister, ExaminationRegister, Protocol):
    """Writes that become visible together, or not at all."""

    def save_campaign(self, campaign: Campaign) -> Campaign:
        """Write a campaign and return it with its new revision.

        Raises:
            WrongStateError: Somebody wrote a newer revision.
        """
        ...

    def save_iteration(self, iteration: Iteration) -> None:
        """Insert or replace an iteration; its results are saved by :meth:`save_result`."""
        ...

    def save_result(self, campaign_id: str, iteration: int, result: TrialResult) -> None:
        """Insert or replace the result of a trial (series are stored as artefacts)."""
        ...

    def save_hall_of_fame(self, campaign_id: str, entries: Sequence[HallOfFameEntry]) -> None:
        """Replace a campaign's hall of fame."""
        ...

    def append_transition(self, transition: Transition) -> None:
        """Append one step of the state machine."""
        ...

    def append_event(
        self, campaign_id: str, at: datetime, kind: EventKind, payload: Mapping[str, object]
    ) -> Event:
        """Append to the campaign's audit chain and return the event."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Lease:
    """A claim on a container, written before it is created.

    Attributes:
        member_id: Container name and label.
        campaign_id: Who uses it; :data:`POOL` while nobody does.
        owner: Controller instance that holds it.
        uid: User id inside the container, unique among live leases.
        image_id, runtime: What is started.
        deadline: UTC; past it the reaper kills the container.
    """

    member_id: str
    campaign_id: str
    owner: str
    uid: int
    image_id: str
    runtime: str
    deadline: datetime


class Leases(Protocol):
    """Persistent record of every container that may exist."""

    def acquire(self, lease: Lease) -> Lease:
        """Write a lease, choosing a uid that no live lease has, and return it."""
        ...

    def assign(self, member_id: str, campaign_id: str, deadline: datetime) -> None:
        """Give a lease to a campaign, with a new deadline; no error when it is gone."""
        ...

    def release(self, member_id: str) -> None:
        """Delete a lease; no error when it is gone."""
        ...

    def live(self) -> Sequence[Lease]:
        """Return all leases."""
        ...


class Repository(PointReader, ExaminationReader, Protocol):
    """Everything that is stored; every call is safe from any thread."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction: committed on leaving, rolled back on an exception."""
        ...

    def create_campaign(
        self, campaign: Campaign, request_id: str, actor: str = OWNER.name
    ) -> Campaign:
        """Insert a campaign with its first event, or return the one of the same request id.

        Args:
            campaign: Stored as it is.
            request_id: Chosen by the client; "" never matches an earlier request.
            actor: Who creates it; part of the first event.

        Raises:
            AlreadyExistsError: The request id was used with another specification.
        """
        ...

    def get_campaign(self, campaign_id: str) -> Campaign:
        """Return one campaign.

        Raises:
            NotFoundError: No campaign has that id.
        """
        ...

    def list_campaigns(self, *, after: str = "", limit: int = 50) -> Sequence[Campaign]:
        """Return campaigns, newest first, starting after the id ``after``."""
        ...

    def unfinished_campaigns(self) -> Sequence[Campaign]:
        """Return campaigns that are neither final nor paused, oldest first."""
        ...

    def get_iteration(self, campaign_id: str, number: int) -> Iteration:
        """Return one iteration with its results, without series.

        Raises:
            NotFoundError: No such iteration.
        """
        ...

    def list_iterations(
        self, campaign_id: str, *, after: int = 0, limit: int = 1000
    ) -> Sequence[Iteration]:
        """Return iterations in order, starting after number ``after``, without series."""
        ...

    def transitions(self, campaign_id: str) -> Sequence[Transition]:
        """Return all transitions in order."""
        ...

    def events(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return events in order, starting after event number ``after``."""
        ...

    def hall_of_fame(self, campaign_id: str) -> Sequence[HallOfFameEntry]:
        """Return the hall of fame, champion first, then by score."""
        ...

    def leases(self) -> Leases:
        """Return the lease table."""
        ...

    def ledger(self) -> Ledger:
        """Return the ledger of language models."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class Artifacts(Protocol):
    """Files of campaigns: content-addressed blobs behind readable names."""

    def put(self, campaign_id: str, name: str, media_type: str, content: bytes) -> Artifact:
        """Store a file under a campaign-relative name, replacing an older one.

        Raises:
            DiskFullError: No space is left.
            InvalidInputError: The name leaves the campaign's folder.
        """
        ...

    def put_all(self, campaign_id: str, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Store files (name -> media type, content) and their descriptions in one commit.

        Raises:
            DiskFullError: No space is left.
            InvalidInputError: A name leaves the campaign's folder.
        """
        ...

    def put_series(self, campaign_id: str, result: TrialResult) -> Mapping[str, str]:
        """Store a settled trial's equity and fills as Parquet; return name -> digest.

        A trial that did not succeed has no series and gives an empty mapping.

        Raises:
            DiskFullError: No space is left.
        """
        ...

    def equity(self, campaign_id: str, trial_id: str) -> Sequence[EquityPoint]:
        """Return the equity of a trial that :meth:`put_series` stored.

        Raises:
            NotFoundError: It has none.
            IntegrityError: The bytes are not what was written.
        """
        ...

    def get(self, campaign_id: str, name: str) -> Artifact:
        """Return the description of a file.

        Raises:
            NotFoundError: No such artefact.
        """
        ...

    def list(self, campaign_id: str) -> Sequence[Artifact]:
        """Return all files of a campaign, sorted by name."""
        ...

    def read(self, artifact: Artifact, *, chunk_bytes: int = 65536) -> Iterator[bytes]:
        """Yield the content.

        Raises:
            IntegrityError: The bytes do not match the digest (raised at the end).
        """
        ...
