"""Range checks of what a trial reports: orders, cancels, fills and equity."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final, Self, final

from stratlab.domain.market import DAILY
from stratlab.domain.trial import (
    Cancel,
    DataCalls,
    EquityPoint,
    Fill,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialSpec,
)
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

MAX_ENTRIES_PER_FRAME: Final = 10_000
"""More would hold up the controller's event loop for too long at once."""

MAX_ENTRIES_PER_TRIAL: Final = 500_000
"""An entry of twelve bytes on the wire takes over a hundred in memory."""

MAX_SHARES: Final = 10**12
MAX_MONEY: Final = 1e18
_MAX_CALLS: Final = 10**12
_MAX_CALL_NAMES: Final = 16
_CALL_NAME: Final = re.compile(r"[a-z_]{1,40}")

_PHASES: Final = {
    pb.LogEntry.PHASE_BEFORE_OPEN: Phase.BEFORE_OPEN,
    pb.LogEntry.PHASE_BAR: Phase.BAR,
}
_ORDER_KINDS: Final = {kind.value: kind for kind in OrderKind}
_LEGS: Final = frozenset({OrderKind.BRACKET_STOP, OrderKind.BRACKET_TAKE})
# Which of (limit, stop, distance) an order of each kind carries.
_LEVELS: Final = {
    OrderKind.MARKET: frozenset({(False, False, False)}),
    OrderKind.LIMIT: frozenset({(True, False, False)}),
    OrderKind.STOP: frozenset({(False, True, False)}),
    OrderKind.STOP_LIMIT: frozenset({(True, True, False)}),
    OrderKind.BRACKET_STOP: frozenset({(False, False, True), (False, True, False)}),
    OrderKind.BRACKET_TAKE: frozenset({(False, False, True), (True, False, False)}),
}


@final
class FrameViolationError(Exception):
    """A frame that no honest runner sends.

    Attributes:
        reason: One sentence; holds nothing that the container wrote.
        outcome: PROTOCOL_VIOLATION, or OUTPUT_LIMIT when it was merely too much.
        trial_id: The ended trial that it is about, "" for the one that runs.
    """

    def __init__(
        self, reason: str, *, outcome: Outcome = Outcome.PROTOCOL_VIOLATION, trial_id: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.trial_id = trial_id


@final
@dataclass(slots=True)
class TrialRecord:
    """Everything that one trial has reported so far, checked.

    Attributes:
        symbols: Of its market set.
        first_bar, last_bar: UTC epoch seconds that a bar label must lie between.
        log, fills, equity, output_tail, data_calls: As in a claim.
    """

    symbols: frozenset[str]
    first_bar: int
    last_bar: int
    log: list[Order | Cancel] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    equity: list[EquityPoint] = field(default_factory=list)
    output_tail: str = ""
    data_calls: DataCalls = field(default_factory=DataCalls)
    _last_number: int = 0
    _last_moment: tuple[int, bool] = (0, False)

    @classmethod
    def of(cls, trial: TrialSpec) -> Self:
        """Return the empty record of ``trial``."""
        start = datetime.combine(trial.window.start, time.min, UTC)
        end = datetime.combine(trial.window.end, time.min, UTC) + timedelta(days=1)
        if trial.market.timeframe != DAILY:
            # A session may begin on the evening before, and end at the next midnight.
            start -= timedelta(days=1)
            end += timedelta(seconds=1)
        return cls(
            frozenset(trial.market.symbols), int(start.timestamp()), int(end.timestamp()) - 1
        )

    def set_calls(self, calls: pb.DataCalls) -> None:
        """Keep how calls of data were answered.

        Raises:
            FrameViolationError: A count is absurd, or a name is none.
        """
        names = calls.fallbacks
        require(len(names) <= _MAX_CALL_NAMES, "too many kinds of calls")
        require(all(_CALL_NAME.fullmatch(name) for name in names), "a call has no proper name")
        counts = (calls.total, *names.values())
        require(max(counts) <= _MAX_CALLS, "a count of calls is absurd")
        self.data_calls = DataCalls(calls.total, dict(names))

    def add_log(self, entries: Iterable[pb.LogEntry]) -> None:
        """Append orders and cancels.

        Raises:
            FrameViolationError: An entry is out of order or out of range.
        """
        for entry in entries:
            phase = _PHASES.get(entry.phase)
            if phase is None:
                raise FrameViolationError("an order has no phase")
            self.check_bar(entry.bar)
            moment = (entry.bar, phase is Phase.BAR)
            require(moment >= self._last_moment, "an order is older than the one before it")
            self._last_moment = moment
            if entry.cancel:
                require(1 <= entry.number <= self._last_number, "a cancel names an unknown order")
                self.log.append(Cancel(entry.number, entry.bar, phase))
            else:
                self.log.append(self._order(entry, phase))

    def add_fills(self, fills: Iterable[pb.Fill]) -> None:
        """Append fills.

        Raises:
            FrameViolationError: A fill is out of order or out of range.
        """
        for fill in fills:
            require(fill.number >= 1, "a fill belongs to no order")
            self.check_bar(fill.bar)
            require(
                not self.fills or fill.bar >= self.fills[-1].bar,
                "a fill is older than the one before it",
            )
            self._check_asset(fill.symbol, fill.amount)
            require(0 < fill.price <= MAX_MONEY, "a fill's price is not a positive number")
            require(0 <= fill.commission <= MAX_MONEY, "a commission is negative or no number")
            self.fills.append(
                Fill(fill.number, fill.bar, fill.symbol, fill.amount, fill.price, fill.commission)
            )

    def add_equity(self, batch: pb.EquityBatch) -> None:
        """Append portfolio values.

        Raises:
            FrameViolationError: A point is out of order or out of range.
        """
        require(len(batch.bars) == len(batch.values), "equity has not one value for each bar")
        for bar, value in zip(batch.bars, batch.values, strict=True):
            self.check_bar(bar)
            require(
                not self.equity or bar > self.equity[-1].bar, "an equity bar is not after the last"
            )
            check_money(value)
            self.equity.append(EquityPoint(bar, value))

    def check_bar(self, bar: int) -> None:
        """Check that a bar label lies in the trial's window.

        Raises:
            FrameViolationError: It does not.
        """
        require(self.first_bar <= bar <= self.last_bar, "a bar is outside the trial's window")

    @property
    def entries(self) -> int:
        """Number of things recorded."""
        return len(self.log) + len(self.fills) + len(self.equity)

    def _order(self, entry: pb.LogEntry, phase: Phase) -> Order:
        kind = _ORDER_KINDS.get(entry.kind)
        if kind is None:
            raise FrameViolationError("an order's kind is unknown")
        require(entry.number > self._last_number, "order numbers do not ascend")
        self._check_asset(entry.symbol, entry.amount)
        limit = entry.limit_price if entry.HasField("limit_price") else None
        stop = entry.stop_price if entry.HasField("stop_price") else None
        distance = entry.distance if entry.HasField("distance") else None
        levels = (limit is not None, stop is not None, distance is not None)
        require(levels in _LEVELS[kind], "an order's levels do not belong to its kind")
        for level in (limit, stop):
            require(level is None or 0 <= level <= MAX_MONEY, "an order's level is no price")
        require(distance is None or 0 < distance <= MAX_MONEY, "a leg's distance is not positive")
        if kind in _LEGS:
            require(1 <= entry.parent <= self._last_number, "a leg names an unknown entry")
        else:
            require(entry.parent == 0, "an order that is no leg has a parent")
        self._last_number = entry.number
        return Order(
            entry.number,
            entry.bar,
            phase,
            entry.symbol,
            entry.amount,
            kind,
            limit_price=limit,
            stop_price=stop,
            parent=entry.parent or None,
            distance=distance,
        )

    def _check_asset(self, symbol: str, amount: int) -> None:
        require(symbol in self.symbols, "a symbol is not in the trial's market set")
        require(0 < abs(amount) <= MAX_SHARES, "a number of shares is zero or absurd")


def require(holds: bool, reason: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Raise a violation with ``reason`` unless ``holds``.

    Raises:
        FrameViolationError: It does not hold.
    """
    if not holds:
        raise FrameViolationError(reason)


def check_money(value: float) -> None:
    """Check that an amount of money is a sane number.

    Raises:
        FrameViolationError: It is NaN, infinite or absurd.
    """
    require(math.isfinite(value) and abs(value) <= MAX_MONEY, "a portfolio value is no number")
