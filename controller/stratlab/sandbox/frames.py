"""The state machine that every frame of a container must pass: pure, and trusting nothing."""

import hmac
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, final

from google.protobuf.message import DecodeError

from stratlab.domain.trial import Limits, Outcome, StrategyFailure, TrialSpec, Usage
from stratlab.sandbox.entries import (
    MAX_ENTRIES_PER_FRAME,
    MAX_ENTRIES_PER_TRIAL,
    FrameViolationError,
    TrialRecord,
    check_money,
    require,
)
from stratlab.sandbox.text import clean_text
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

MAX_FRAME_BYTES: Final = 4 << 20
MAX_FRAMES_PER_TRIAL: Final = 50_000
FRAMES_PER_SECOND: Final = 1_000.0
FRAME_BURST: Final = 5_000.0
OUTPUT_TAIL_BYTES: Final = 8_192
"""What the runner is asked to pass on of what a strategy prints."""

_MAX_SECONDS: Final = 1e7
_MAX_RSS: Final = 1 << 50
_MIB: Final = 1 << 20

_OUTCOMES: Final = {
    pb.TrialFailed.CAUSE_EXCEPTION: Outcome.STRATEGY_ERROR,
    pb.TrialFailed.CAUSE_CPU: Outcome.TIMEOUT_CPU,
    pb.TrialFailed.CAUSE_SIGNAL: Outcome.SIGNAL,
    pb.TrialFailed.CAUSE_MEMORY: Outcome.OUT_OF_MEMORY,
    pb.TrialFailed.CAUSE_PIDS: Outcome.PIDS,
    pb.TrialFailed.CAUSE_PROTOCOL: Outcome.PROTOCOL_VIOLATION,
    pb.TrialFailed.CAUSE_RUNNER: Outcome.INFRASTRUCTURE,
    pb.TrialFailed.CAUSE_OUTPUT: Outcome.OUTPUT_LIMIT,
    pb.TrialFailed.CAUSE_WALL: Outcome.TIMEOUT_WALL,
}


@final
@dataclass(frozen=True, slots=True)
class HelloSeen:
    """The container said hello and waits for the nonce."""

    runner_version: str


@final
@dataclass(frozen=True, slots=True)
class ReadySeen:
    """The container is warm."""


@final
@dataclass(frozen=True, slots=True)
class StartedSeen:
    """A trial began: from here on its end is charged to the strategy."""

    trial_id: str


@final
@dataclass(frozen=True, slots=True)
class ProgressSeen:
    """A sign of life: fraction in [0, 1], bar in UTC epoch seconds, equity."""

    trial_id: str
    fraction: float
    bar: int
    equity: float


@final
@dataclass(frozen=True, slots=True)
class EndSeen:
    """A trial ended by itself.

    Attributes:
        trial_id: Which.
        outcome: As the runner sees it.
        reason: One sentence, "" when it succeeded.
        failure: Set for STRATEGY_ERROR.
        usage: CPU time and memory as the runner measured them.
    """

    trial_id: str
    outcome: Outcome
    reason: str
    failure: StrategyFailure | None
    usage: Usage


FrameEvent = HelloSeen | ReadySeen | StartedSeen | ProgressSeen | EndSeen


class _State(Enum):
    CONNECTED = auto()
    GREETED = auto()
    READY = auto()


_HANDSHAKE: Final = {
    "hello": (_State.CONNECTED, _State.GREETED),
    "ready": (_State.GREETED, _State.READY),
}
_MISPLACED: Final = {
    "started": "a second or misplaced start",
    "failed": "a failure without a trial",
}


@final
@dataclass(slots=True)
class _Running:
    # A trial between its request and its end, with what it has sent so far.
    max_bytes: int
    started: bool = False
    frames: int = 0
    size: int = 0

    def count(self, size: int) -> None:
        self.frames += 1
        self.size += size
        if self.frames > MAX_FRAMES_PER_TRIAL:
            raise FrameViolationError("too many frames", outcome=Outcome.OUTPUT_LIMIT)
        if self.size > self.max_bytes:
            raise FrameViolationError(
                f"more than {self.max_bytes // _MIB} MiB of frames", outcome=Outcome.OUTPUT_LIMIT
            )


@final
class FrameValidator:
    """Checks the frames of one container from its first to its last.

    Several trials may run at the same time.

    Args:
        nonce: What every frame after hello must repeat.
        monotonic: Clock of the rate limit, seconds.
        sealed: Whether orders come by :meth:`commit` alone, not in frames.
    """

    def __init__(
        self,
        nonce: bytes,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        sealed: bool = False,
    ) -> None:
        self._nonce = nonce
        self._sealed = sealed
        self._monotonic = monotonic
        self._state = _State.CONNECTED
        self._sequence = 0
        self._running: dict[str, _Running] = {}
        self._records: dict[str, TrialRecord] = {}
        self._ended: set[str] = set()
        self._tokens = FRAME_BURST
        self._refilled = monotonic()

    def has_started(self, trial_id: str) -> bool:
        """Return whether a trial has begun and not ended."""
        running = self._running.get(trial_id)
        return running is not None and running.started

    def record_of(self, trial_id: str) -> TrialRecord:
        """Return what a trial has reported; nothing when it was never requested."""
        return self._records.get(trial_id) or TrialRecord(frozenset(), 0, 0)

    def begin(self, trial: TrialSpec, limits: Limits) -> None:
        """Expect the frames of ``trial``, which is about to be requested.

        Raises:
            RuntimeError: The container is not ready, or runs it (a mistake of the caller).
        """
        if self._state is not _State.READY or trial.trial_id in self._running:
            raise RuntimeError(f"a trial cannot begin in state {self._state.name}")
        self._ended.discard(trial.trial_id)
        self._running[trial.trial_id] = _Running(limits.output_mib * _MIB)
        self._records[trial.trial_id] = TrialRecord.of(trial)

    def commit(self, trial_id: str, entries: Sequence[pb.LogEntry], size: int) -> TrialRecord:
        """Record orders and cancels that came by a feed, and return the trial's record.

        Args:
            trial_id: The trial.
            entries: As in a frame.
            size: Bytes that they came in.

        Raises:
            FrameViolationError: They are not allowed; the container must be killed.
        """
        require(trial_id in self._running, "a commit outside a trial")
        self._running[trial_id].count(size)
        record = self._records[trial_id]
        _check_room(record, len(entries))
        record.add_log(entries)
        return record

    def feed(self, data: bytes) -> FrameEvent | None:
        """Check one frame, record what it holds and return what the caller must act on.

        Raises:
            FrameViolationError: The frame is not allowed; the container must be killed.
        """
        self._count_frame(len(data))
        try:
            request = pb.AttachRequest.FromString(data)
        except DecodeError:
            raise FrameViolationError("a frame cannot be decoded") from None
        kind = request.WhichOneof("frame")
        if kind is None:
            raise FrameViolationError("a frame is empty or unknown")
        require(request.sequence == self._sequence, "a frame is out of sequence")
        self._sequence += 1
        nonce = b"" if kind == "hello" else self._nonce
        require(hmac.compare_digest(request.nonce, nonce), "a frame has a wrong nonce")
        if kind in _HANDSHAKE:
            return self._handshake(kind, request)
        return self._trial_frame(kind, request, len(data))

    def _count_frame(self, size: int) -> None:
        require(size <= MAX_FRAME_BYTES, "a frame is too large")
        now = self._monotonic()
        elapsed = max(0.0, now - self._refilled)
        self._tokens = min(FRAME_BURST, self._tokens + elapsed * FRAMES_PER_SECOND)
        self._refilled = now
        self._tokens -= 1
        if self._tokens < 0:
            raise FrameViolationError("too many frames", outcome=Outcome.OUTPUT_LIMIT)

    def _handshake(self, kind: str, request: pb.AttachRequest) -> FrameEvent:
        expected, following = _HANDSHAKE[kind]
        require(self._state is expected, f"a second or misplaced {kind}")
        self._state = following
        if kind == "hello":
            return HelloSeen(clean_text(request.hello.runner_version, 64))
        return ReadySeen()

    def _trial_frame(self, kind: str, request: pb.AttachRequest, size: int) -> FrameEvent | None:
        frame = getattr(request, kind)
        if frame.trial_id in self._ended:
            raise FrameViolationError("a frame after the trial's end", trial_id=frame.trial_id)
        misplaced = _MISPLACED.get(kind, "a frame outside a trial")
        require(bool(self._running), misplaced)
        require(frame.trial_id in self._running, "a frame about another trial")
        running = self._running[frame.trial_id]
        running.count(size)
        require(not (self._sealed and kind == "log"), "orders of a sealed trial in a frame")
        if kind != "failed":
            require(running.started is (kind != "started"), misplaced)
        record = self._records[frame.trial_id]
        match kind:
            case "started":
                running.started = True
                return StartedSeen(frame.trial_id)
            case "progress":
                return _progress(frame, record)
            case "finished":
                self._end(frame.trial_id)
                usage = _usage(frame.usage)
                return EndSeen(frame.trial_id, Outcome.SUCCEEDED, "", None, usage)
            case "failed":
                self._end(frame.trial_id)
                return _failed(frame)
            case "data_calls":
                record.set_calls(frame)
            case "output":
                record.output_tail = clean_text(frame.tail, OUTPUT_TAIL_BYTES, keep="tail")
            case _:
                _collect(request, record)
        return None

    def _end(self, trial_id: str) -> None:
        del self._running[trial_id]
        self._ended.add(trial_id)


def _collect(request: pb.AttachRequest, record: TrialRecord) -> None:
    _check_room(
        record, len(request.log.entries) + len(request.fills.fills) + len(request.equity.bars)
    )
    record.add_log(request.log.entries)
    record.add_fills(request.fills.fills)
    record.add_equity(request.equity)


def _check_room(record: TrialRecord, more: int) -> None:
    require(more <= MAX_ENTRIES_PER_FRAME, "a frame has too many entries")
    if record.entries + more > MAX_ENTRIES_PER_TRIAL:
        raise FrameViolationError(
            f"more than {MAX_ENTRIES_PER_TRIAL} orders, fills and equity points",
            outcome=Outcome.OUTPUT_LIMIT,
        )


def _progress(frame: pb.TrialProgress, record: TrialRecord) -> ProgressSeen:
    require(0 <= frame.fraction <= 1, "a progress fraction is not in [0, 1]")
    record.check_bar(frame.bar)
    check_money(frame.equity)
    return ProgressSeen(frame.trial_id, frame.fraction, frame.bar, frame.equity)


def _failed(frame: pb.TrialFailed) -> EndSeen:
    outcome = _OUTCOMES.get(frame.cause)
    if outcome is None:
        raise FrameViolationError("a failure has no cause")
    name = clean_text(frame.type, 200)
    message = clean_text(frame.message, 2_000)
    failure = None
    if outcome is Outcome.STRATEGY_ERROR:
        failure = StrategyFailure(
            type=name,
            message=message,
            line=frame.line if frame.line < 1 << 24 else 0,
            text=clean_text(frame.text, 500),
            traceback=clean_text(frame.traceback, 8_000),
        )
    reason = ": ".join(part for part in (name, message) if part)
    reason = reason or outcome.value
    return EndSeen(frame.trial_id, outcome, reason, failure, _usage(frame.usage))


def _usage(usage: pb.Usage) -> Usage:
    for seconds in (usage.wall_seconds, usage.cpu_seconds):
        require(math.isfinite(seconds) and 0 <= seconds <= _MAX_SECONDS, "a usage is no number")
    require(usage.max_rss_bytes <= _MAX_RSS, "a usage is absurd")
    return Usage(
        wall_seconds=usage.wall_seconds,
        cpu_seconds=usage.cpu_seconds,
        max_rss_bytes=usage.max_rss_bytes,
    )
