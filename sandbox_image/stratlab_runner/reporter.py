"""What a trial's process tells about its run: batches of orders, fills and equity, and progress."""

import os
import time
from collections.abc import Mapping
from typing import Final

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.wire import write_frame

BATCH: Final = 256
"""Entries of one kind that are sent together; small messages are slow, above all under gVisor."""

PROGRESS_SECONDS: Final = 0.1
PROGRESS_FRACTION: Final = 0.02


class Reporter:
    """Writes the frames of one trial to a pipe; sequence and nonce are added by the supervisor.

    Args:
        descriptor: Blocking pipe.
        trial_id: Repeated in every frame.
    """

    def __init__(self, descriptor: int, trial_id: str) -> None:
        self._descriptor = descriptor
        self._process = os.getpid()
        self._trial_id = trial_id
        self._log = pb.LogBatch(trial_id=trial_id)
        self._fills = pb.FillBatch(trial_id=trial_id)
        self._equity = pb.EquityBatch(trial_id=trial_id)
        self._last_time = 0.0
        self._last_fraction = 0.0

    def started(self, bars: int) -> None:
        """Say that the strategy is about to run."""
        started = pb.TrialStarted(trial_id=self._trial_id, bars=bars)
        self._send(pb.AttachRequest(started=started))

    def log(self, entry: pb.LogEntry) -> None:
        """Report an order or a cancel."""
        self._log.entries.append(entry)
        if len(self._log.entries) >= BATCH:
            self._flush_log()

    def fill(self, fill: pb.Fill) -> None:
        """Report an execution."""
        self._fills.fills.append(fill)
        if len(self._fills.fills) >= BATCH:
            self._flush_fills()

    def equity(self, bar: int, value: float, fraction: float) -> None:
        """Report the portfolio value at a close, and now and then how far the run is.

        Args:
            bar: UTC epoch seconds.
            value: Account currency.
            fraction: Of all bars, 0 to 1.
        """
        self._equity.bars.append(bar)
        self._equity.values.append(value)
        if len(self._equity.bars) >= BATCH:
            self._flush_equity()
        now = time.monotonic()
        if (
            fraction - self._last_fraction >= PROGRESS_FRACTION
            or now - self._last_time >= PROGRESS_SECONDS
        ):
            self._last_time, self._last_fraction = now, fraction
            progress = pb.TrialProgress(
                trial_id=self._trial_id, fraction=fraction, bar=bar, equity=value
            )
            self._send(pb.AttachRequest(progress=progress))

    def data_calls(self, total: int, fallbacks: Mapping[str, int]) -> None:
        """Report how calls of data were answered.

        Args:
            total: Calls that the fast engine counted.
            fallbacks: Name of a call -> how often stock zipline answered it instead.
        """
        calls = pb.DataCalls(trial_id=self._trial_id, total=total, fallbacks=fallbacks)
        self._send(pb.AttachRequest(data_calls=calls))

    def finished(self) -> None:
        """Report everything that is left, and success."""
        self._flush()
        self._send(pb.AttachRequest(finished=pb.TrialFinished(trial_id=self._trial_id)))

    def failed(self, failure: pb.TrialFailed) -> None:
        """Report everything that is left, and a failure."""
        self._flush()
        failure.trial_id = self._trial_id
        self._send(pb.AttachRequest(failed=failure))

    def _flush(self) -> None:
        self._flush_log()
        self._flush_fills()
        self._flush_equity()

    def _flush_log(self) -> None:
        if self._log.entries:
            self._send(pb.AttachRequest(log=self._log))
            del self._log.entries[:]

    def _flush_fills(self) -> None:
        if self._fills.fills:
            self._send(pb.AttachRequest(fills=self._fills))
            del self._fills.fills[:]

    def _flush_equity(self) -> None:
        if self._equity.bars:
            self._send(pb.AttachRequest(equity=self._equity))
            del self._equity.bars[:]
            del self._equity.values[:]

    def _send(self, frame: pb.AttachRequest) -> None:
        if os.getpid() != self._process:
            # A process that the strategy forked returned from its code; it has no say.
            os._exit(1)
        write_frame(self._descriptor, frame.SerializeToString())
