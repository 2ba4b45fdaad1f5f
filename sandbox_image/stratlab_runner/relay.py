"""Judges what comes out of a trial's process before any of it goes on: size, form, order."""

from typing import Final, final

from google.protobuf.message import DecodeError

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.wire import FrameBuffer, FrameError

_MIDDLE: Final = frozenset({"progress", "log", "fills", "equity", "data_calls"})


@final
class Violation(Exception):  # noqa: N818 - a finding about the trial, not a fault of ours
    """The trial's process wrote what it must not.

    Attributes:
        cause: For the trial's end.
        is_cut_off: Whether a frame merely stops in the middle, as that of a killed process may.
    """

    def __init__(
        self, cause: "pb.TrialFailed.Cause.ValueType", message: str, *, is_cut_off: bool = False
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.is_cut_off = is_cut_off


@final
class Relay:
    """Takes the raw bytes of one trial's pipes.

    Args:
        request: The trial; names its limits.
    """

    def __init__(self, request: pb.RunTrial) -> None:
        self._request = request
        self._buffer = FrameBuffer()
        self._frame_bytes = 0
        self._tail = bytearray()
        self._output_bytes = 0
        self._started = False
        self._end: pb.AttachRequest | None = None

    def frames(self, data: bytes) -> list[pb.AttachRequest]:
        """Return the frames that are complete now and go on; the last one is held back.

        Raises:
            Violation: Too much, malformed, or out of order.
        """
        self._frame_bytes += len(data)
        if self._frame_bytes > self._request.max_output_bytes:
            raise Violation(pb.TrialFailed.CAUSE_OUTPUT, "the trial reported more than its limit")
        try:
            payloads = self._buffer.feed(data)
            return [frame for payload in payloads if (frame := self._judge(payload))]
        except (DecodeError, FrameError) as error:
            raise Violation(pb.TrialFailed.CAUSE_PROTOCOL, f"malformed frame: {error}") from error

    def output(self, data: bytes) -> None:
        """Keep the end of what the strategy prints.

        Raises:
            Violation: More than its limit.
        """
        self._output_bytes += len(data)
        self._tail += data
        del self._tail[: -self._request.output_tail_bytes or len(self._tail)]
        if self._output_bytes > self._request.max_output_bytes:
            raise Violation(pb.TrialFailed.CAUSE_OUTPUT, "the strategy printed more than its limit")

    @property
    def output_frame(self) -> pb.AttachRequest | None:
        """What the strategy printed, None when nothing."""
        if not self._output_bytes:
            return None
        output = pb.Output(
            trial_id=self._request.trial_id, tail=bytes(self._tail), total_bytes=self._output_bytes
        )
        return pb.AttachRequest(output=output)

    @property
    def started(self) -> bool:
        """Whether foreign code may have run."""
        return self._started

    def end(self) -> pb.AttachRequest | None:
        """Return the last frame when the process said how it ended, with no usage in it yet.

        Raises:
            Violation: Half a frame follows.
        """
        if not self._buffer.is_empty:
            raise Violation(
                pb.TrialFailed.CAUSE_PROTOCOL, "the trial ended inside a frame", is_cut_off=True
            )
        return self._end

    def _judge(self, payload: bytes) -> pb.AttachRequest | None:
        frame = pb.AttachRequest.FromString(payload)
        kind = frame.WhichOneof("frame") or ""
        if self._end is not None:
            raise Violation(pb.TrialFailed.CAUSE_PROTOCOL, "a frame after the last one")
        expected = {"started", "failed"} if not self._started else {*_MIDDLE, "finished", "failed"}
        if kind not in expected:
            raise Violation(pb.TrialFailed.CAUSE_PROTOCOL, f"a misplaced frame {kind!r}")
        if getattr(frame, kind).trial_id != self._request.trial_id:
            raise Violation(pb.TrialFailed.CAUSE_PROTOCOL, "a frame of another trial")
        if kind == "started":
            self._started = True
        if kind in {"finished", "failed"}:
            # Our own faults happen before foreign code runs; later it could only be pretended.
            if self._started and frame.failed.cause == pb.TrialFailed.CAUSE_RUNNER:
                raise Violation(pb.TrialFailed.CAUSE_PROTOCOL, "a pretended fault of the runner")
            self._end = frame
            return None
        return frame
