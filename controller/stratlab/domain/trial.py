"""Trials: what is asked of a container, what it claims, and what the host makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import final

from stratlab.domain.market import CostModel, MarketSet, Window
from stratlab.domain.metrics import Metrics

Parameters = Mapping[str, int | float]

SMOKE_SECONDS = 30
"""Longest CPU and wall time of a smoke run, the last layer of screening."""


@final
class Outcome(StrEnum):
    """How a trial ended; the list is closed."""

    SUCCEEDED = "SUCCEEDED"
    STRATEGY_ERROR = "STRATEGY_ERROR"
    TIMEOUT_CPU = "TIMEOUT_CPU"
    TIMEOUT_WALL = "TIMEOUT_WALL"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    PIDS = "PIDS"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    SIGNAL = "SIGNAL"
    PROTOCOL_VIOLATION = "PROTOCOL_VIOLATION"
    FORGED = "FORGED"
    LOOKAHEAD = "LOOKAHEAD"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    CANCELLED = "CANCELLED"
    LOST = "LOST"
    INFRASTRUCTURE = "INFRASTRUCTURE"

    @property
    def is_retried(self) -> bool:
        """Whether the trial says nothing about the strategy and is run again."""
        return self in {Outcome.LOST, Outcome.INFRASTRUCTURE}


@final
class TrialPurpose(StrEnum):
    """Why a trial was run; only SEARCH counts towards N (DESIGN.md, Integrity)."""

    SEARCH = "search"
    SCREEN = "screen"
    SMOKE = "smoke"
    ADHOC = "adhoc"
    RERUN = "rerun"
    STRESS = "stress"
    SENSITIVITY = "sensitivity"
    HOLDOUT = "holdout"
    WALK_FORWARD = "walk_forward"
    ARM = "arm"


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What one container may use, and what the harness lets a strategy do.

    Attributes:
        memory_mib: Memory including swap.
        cpus: Cores of CPU time per wall second.
        pids: Processes and threads.
        tmp_mib: Size of the only writable directory.
        cpu_seconds: CPU time of one trial.
        wall_seconds: Wall time of one trial, start-up apart.
        output_mib: Bytes that one trial may send.
        max_leverage: Gross exposure over equity that ends the trial when exceeded.
        max_position_shares: Largest absolute position in one symbol, or None.
    """

    memory_mib: int = 1024
    cpus: float = 1.0
    pids: int = 64
    tmp_mib: int = 64
    cpu_seconds: int = 120
    wall_seconds: int = 180
    output_mib: int = 64
    max_leverage: float = 2.0
    max_position_shares: int | None = None


@final
class Engine(StrEnum):
    """What runs a trial: stock zipline, or zipline over arrays, which does exactly the same."""

    FAST = "fast"
    STOCK = "stock"


@final
@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One backtest: parameters on one market set and window.

    Attributes:
        trial_id: Unique; also the name under which results are stored.
        index: Position in the iteration; results enter the loop in this order.
        purpose: Why it is run.
        market: Data set and symbols.
        window: Tier and dates.
        parameters: Values for ``context.params``.
        capital: Starting cash in account currency.
        cost_model: Imposed after the strategy's ``initialize``.
        seed: For ``random`` and ``numpy.random`` inside the container.
        world: Name of the scrambled world whose prices it gets instead of the tier's, "" for
            none. Such a trial has a log to compare and no metrics: nothing is priced in it.
    """

    trial_id: str
    index: int
    purpose: TrialPurpose
    market: MarketSet
    window: Window
    parameters: Parameters
    capital: float
    cost_model: CostModel
    seed: int = 0
    world: str = ""


@final
@dataclass(frozen=True, slots=True)
class TrialBatch:
    """Trials of one candidate on one tier: they share one single-use container.

    All windows of ``trials`` lie in one tier and world, and all markets in one data set.
    """

    campaign_id: str
    source: str
    trials: tuple[TrialSpec, ...]
    limits: Limits
    runtime: str = "runc"
    engine: Engine = Engine.FAST

    def limits_of(self, trial: TrialSpec) -> Limits:
        """Return what one of the trials may use: a smoke run is cut short."""
        if trial.purpose is not TrialPurpose.SMOKE:
            return self.limits
        return replace(
            self.limits,
            cpu_seconds=min(self.limits.cpu_seconds, SMOKE_SECONDS),
            wall_seconds=min(self.limits.wall_seconds, SMOKE_SECONDS),
        )


@final
class Phase(StrEnum):
    """When in a bar an order or cancel was placed.

    BEFORE_OPEN is before the splits of the bar's session: what a strategy orders in
    ``initialize``, for the first bar. AT_OPEN is after them: the host's own benchmark, never a
    container. BAR is after the bar was seen.
    """

    BEFORE_OPEN = "before_open"
    AT_OPEN = "at_open"
    BAR = "bar"


@final
class OrderKind(StrEnum):
    """Order types; the two bracket legs rest until their parent has filled."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    BRACKET_STOP = "bracket_stop"
    BRACKET_TAKE = "bracket_take"


@final
@dataclass(frozen=True, slots=True)
class Order:
    """One order of the strategy, as its container logged it.

    Attributes:
        number: 1, 2, 3 ... in the order of placing; parents and cancels refer to it.
        bar: UTC epoch seconds of the bar in which it was placed (before or at its open: of the
            bar that had not been seen yet and in which it may already fill).
        phase: When in ``bar``.
        symbol: What is traded.
        amount: Signed whole shares.
        kind: Order type.
        limit_price, stop_price: Levels in account currency where the kind has them; a
            bracket leg that was moved carries its level here instead of a distance.
        parent: Number of the entry that a bracket leg belongs to.
        distance: Positive price distance of a bracket leg from its parent's fill.
    """

    number: int
    bar: int
    phase: Phase
    symbol: str
    amount: int
    kind: OrderKind
    limit_price: float | None = None
    stop_price: float | None = None
    parent: int | None = None
    distance: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel of order ``number``, stamped like an order."""

    number: int
    bar: int
    phase: Phase


@final
@dataclass(frozen=True, slots=True)
class Fill:
    """One execution.

    A claim's fills are in stored units, a result's in units of the source
    (:class:`stratlab.domain.market.Scale`); amount times price is the same in both.

    Attributes:
        number: The order's number.
        bar: UTC epoch seconds of the bar of the fill.
        symbol: What was traded.
        amount: Signed shares; whole ones, but for symbols that are traded in parts of a unit.
        price: Account currency per share, slippage included.
        commission: Account currency.
        ambiguous: Whether stop and take were both touched inside the bar, so that which came
            first follows from the assumed path; only the host says so.
    """

    number: int
    bar: int
    symbol: str
    amount: float
    price: float
    commission: float
    ambiguous: bool = field(default=False, compare=False)


@final
@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Portfolio value at the close of a session's last bar (UTC epoch seconds of its label)."""

    bar: int
    value: float


@final
@dataclass(frozen=True, slots=True)
class StrategyFailure:
    """What went wrong inside the strategy, cut to its own lines.

    Attributes:
        type: Exception class name.
        message: Its text, truncated and escaped.
        line: 1-based line in the strategy's source, 0 when unknown.
        text: That line's text.
        traceback: Only the strategy's frames.
    """

    type: str
    message: str
    line: int = 0
    text: str = ""
    traceback: str = ""


@final
@dataclass(frozen=True, slots=True)
class Usage:
    """Resources one trial used, as the controller or the supervisor measured them."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    startup_seconds: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class SandboxIdentity:
    """Which image, runtime, profile and engine a trial ran under."""

    member_id: str = ""
    image_id: str = ""
    runtime: str = ""
    seccomp_digest: str = ""
    engine: str = ""


@final
@dataclass(frozen=True, slots=True)
class DataCalls:
    """How a trial's calls of ``data`` were answered, as its container counted them.

    Attributes:
        total: Calls under the fast engine; 0 under the stock one.
        fallbacks: Name of a call -> how often stock zipline answered it instead.
    """

    total: int = 0
    fallbacks: Mapping[str, int] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class TrialClaim:
    """What came out of a container; schema-checked, but not yet believed.

    Attributes:
        trial_id: Of the :class:`TrialSpec`.
        outcome: How it ended as far as the sandbox can tell.
        reason: One sentence.
        log: Orders and cancels in the order of placing.
        fills: Reported fills; only ever compared.
        equity: Reported equity; only ever compared.
        failure: Set when the outcome is STRATEGY_ERROR.
        output_tail: Last lines of the strategy's stdout and stderr, escaped.
    """

    trial_id: str
    outcome: Outcome
    reason: str = ""
    log: tuple[Order | Cancel, ...] = ()
    fills: tuple[Fill, ...] = ()
    equity: tuple[EquityPoint, ...] = ()
    failure: StrategyFailure | None = None
    output_tail: str = ""
    usage: Usage = field(default_factory=Usage)
    sandbox: SandboxIdentity = field(default_factory=SandboxIdentity)
    data_calls: DataCalls = field(default_factory=DataCalls)


@final
@dataclass(frozen=True, slots=True)
class TrialResult:
    """What the host made of a claim; this is what is stored and judged.

    Attributes:
        spec: The trial.
        outcome, reason, failure: As claimed, or FORGED when the host's numbers differ.
        attempt: 1 for the first try.
        metrics: The host's own, None unless SUCCEEDED.
        benchmark_metrics: Of the campaign's benchmark on the same window and costs.
        orders_digest: sha256 over the canonical order log, hex.
        fills: The host's own.
        equity: The host's own equity, one point a session.
        benchmark_equity: Of the benchmark at the same bars.
        max_leverage: Largest gross exposure over equity at a bar's close.
    """

    spec: TrialSpec
    outcome: Outcome
    reason: str = ""
    attempt: int = 1
    metrics: Metrics | None = None
    benchmark_metrics: Metrics | None = None
    orders_digest: str = ""
    fills: tuple[Fill, ...] = ()
    equity: tuple[EquityPoint, ...] = ()
    benchmark_equity: tuple[EquityPoint, ...] = ()
    max_leverage: float = 0.0
    failure: StrategyFailure | None = None
    output_tail: str = ""
    usage: Usage = field(default_factory=Usage)
    sandbox: SandboxIdentity = field(default_factory=SandboxIdentity)
    data_calls: DataCalls = field(default_factory=DataCalls)


@final
@dataclass(frozen=True, slots=True)
class TrialProgress:
    """A live, unstored sign of life from a running trial."""

    campaign_id: str
    trial_id: str
    fraction: float
    bar: int
    equity: float
