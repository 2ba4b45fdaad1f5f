"""One trial as the supervisor sees it: its pipes, its process, its deadline, and its last frame."""

import math
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.ending import end_frame
from stratlab_runner.kernel import oom_kills
from stratlab_runner.link import Link
from stratlab_runner.relay import Relay, Violation
from stratlab_runner.zygote import TrialExit

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES: Final = 1 << 16

_MOST_READS: Final = 16  # a megabyte, the most that a pipe can hold


@final
class TrialRun:
    """A trial from its request to its last frame.

    Args:
        request: The trial.
        link: To the controller.
        frames: Read end of the pipe for its frames.
        output: Read end of the pipe for what it prints.

    Attributes:
        request: As above.
        pipes: The read ends that are open.
        deadline: Monotonic time at which it is ended.
    """

    def __init__(self, request: pb.RunTrial, link: Link, frames: int, output: int) -> None:
        self.request = request
        self.deadline = math.inf
        if request.wall_seconds:
            self.deadline = time.monotonic() + request.wall_seconds
        self.pipes: dict[int, Callable[[bytes], None]] = {
            frames: self._relay_frames,
            output: self._keep_output,
        }
        for pipe in self.pipes:
            os.set_blocking(pipe, False)
        self._link = link
        self._relay = Relay(request)
        self._violation: Violation | None = None
        self._child: int | None = None
        self._kills = oom_kills()

    def began(self, child: int) -> None:
        """Learn the process id."""
        self._child = child
        if self._violation is not None:
            self._kill()

    def read(self, pipe: int) -> bool:
        """Take in what has arrived; returns whether more can come."""
        with suppress(BlockingIOError):
            return self._take(pipe)
        return True

    def drain(self, pipe: int) -> None:
        """Take in all that is there, when the process has ended; others may hold the pipe open."""
        self._child = None
        with suppress(BlockingIOError):
            for _ in range(_MOST_READS):
                if not self._take(pipe):
                    return

    def close(self, pipe: int) -> None:
        """Close one of the pipes."""
        del self.pipes[pipe]
        os.close(pipe)

    def enforce_deadline(self) -> None:
        """End the trial when its time is up."""
        if time.monotonic() >= self.deadline:
            self.deadline = math.inf
            reason = f"not done after {self.request.wall_seconds} s"
            self._violate(Violation(pb.TrialFailed.CAUSE_WALL, reason))

    def report(self, ended: TrialExit | None) -> None:
        """Send the last frames.

        Args:
            ended: How its process ended, None when its parent died with it.
        """
        if (output := self._relay.output_frame) is not None:
            self._link.send(output)
        memory_killed = oom_kills() > self._kills
        self._link.send(
            end_frame(
                self.request, self._relay, self._violation, ended, memory_killed=memory_killed
            )
        )

    def _take(self, pipe: int) -> bool:
        data = os.read(pipe, READ_BYTES)
        # After a violation the rest is read and forgotten, so that nobody blocks on a full pipe.
        if data and self._violation is None:
            try:
                self.pipes[pipe](data)
            except Violation as violation:
                self._violate(violation)
        return bool(data)

    def _relay_frames(self, data: bytes) -> None:
        for frame in self._relay.frames(data):
            self._link.send(frame)

    def _keep_output(self, data: bytes) -> None:
        self._relay.output(data)

    def _violate(self, violation: Violation) -> None:
        if self._violation is None:
            self._violation = violation
            self._kill()

    def _kill(self) -> None:
        # Its children end when the zygote sees its end.
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
