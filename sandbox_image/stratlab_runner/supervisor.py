"""Runs trials for the controller: relays what each one says, and ends all that it leaves behind."""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.ending import end_frame
from stratlab_runner.kernel import oom_kills, other_processes
from stratlab_runner.link import Link, LinkClosedError
from stratlab_runner.relay import Relay, Violation
from stratlab_runner.scratch import empty_directory
from stratlab_runner.wire import FrameError, pack, read_frame
from stratlab_runner.zygote import TrialExit

SCRATCH: Final = Path("/tmp")  # noqa: S108 - the container's own tmpfs
READ_BYTES: Final = 1 << 16
REAP_SECONDS: Final = 0.1
LEFTOVER_SECONDS: Final = 5.0
"""Whoever still exists this long after a SIGKILL hangs in the kernel; the container then ends."""


class SupervisorError(Exception):
    """The container cannot run another trial; its end says so to the controller."""


def supervise(link: Link, control: socket.socket, zygote: int, began: float) -> None:
    """Serve trials until the controller has no more.

    Args:
        link: To the controller, fresh.
        control: Connected to the zygote.
        zygote: Its process id.
        began: Monotonic time at which the container started.

    Raises:
        LinkClosedError: The controller is gone.
        SupervisorError: The zygote is gone, or a process cannot be killed.
    """
    link.handshake()
    if read_frame(control.fileno()) is None:
        raise SupervisorError("the zygote did not get warm")
    link.send(pb.AttachRequest(ready=pb.Ready(startup_seconds=time.monotonic() - began)))
    while (command := link.command()).WhichOneof("frame") == "run":
        TrialRun(command.run, link, control, zygote).to_the_end()
    link.close()


@final
class TrialRun:
    """One trial, from its request to its last frame.

    Args:
        request: The trial.
        link: To the controller.
        control: Connected to the zygote.
        zygote: Its process id.
    """

    def __init__(
        self, request: pb.RunTrial, link: Link, control: socket.socket, zygote: int
    ) -> None:
        self._request = request
        self._link = link
        self._control = control
        self._family = {os.getpid(), zygote}
        self._relay = Relay(request)
        self._violation: Violation | None = None
        self._child: int | None = None
        self._ended: TrialExit | None = None
        self._orphaned = False

    def to_the_end(self) -> None:
        """Run the trial and report its end, when nothing of it is left.

        Raises:
            LinkClosedError: The controller is gone.
            SupervisorError: The zygote is gone, or a process cannot be killed.
        """
        kills = oom_kills()
        self._exchange(*self._start())
        self._bury()
        empty_directory(SCRATCH)
        if (output := self._relay.output_frame) is not None:
            self._link.send(output)
        memory_killed = oom_kills() > kills
        self._link.send(
            end_frame(
                self._request,
                self._relay,
                self._violation,
                self._ended,
                memory_killed=memory_killed,
            )
        )
        if self._orphaned:
            raise SupervisorError("the zygote is gone")

    def _start(self) -> tuple[int, int]:
        frames, their_frames = os.pipe()
        output, their_output = os.pipe()
        try:
            socket.send_fds(self._control, [b"R"], [their_frames, their_output])
            self._control.sendall(pack(self._request.SerializeToString()))
        except OSError as error:
            raise SupervisorError("the zygote is gone") from error
        finally:
            os.close(their_frames)
            os.close(their_output)
        return frames, output

    def _exchange(self, frames: int, output: int) -> None:
        # Ends when the zygote has said how the process ended and nobody is left who could
        # write into a pipe.
        with selectors.DefaultSelector() as selector:
            selector.register(frames, selectors.EVENT_READ, self._relay_frames)
            selector.register(output, selectors.EVENT_READ, self._relay.output)
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._link.wake, selectors.EVENT_READ)
            pipes = {frames, output}
            while pipes or not (self._ended or self._orphaned):
                for key, _ in selector.select(REAP_SECONDS):
                    if key.fd in pipes:
                        done = not self._read(key.fd, key.data)
                        pipes -= {key.fd} if done else set()
                    elif key.fd == self._link.wake:
                        done = self._hear_controller()
                    else:
                        done = self._hear_zygote()
                    if done:
                        selector.unregister(key.fileobj)
                _reap()
        os.close(frames)
        os.close(output)

    def _read(self, pipe: int, take: Callable[[bytes], None]) -> bool:
        data = os.read(pipe, READ_BYTES)
        # After a violation the rest is read and forgotten, so that nobody blocks on a full pipe.
        if data and self._violation is None:
            try:
                take(data)
            except Violation as violation:
                self._violation = violation
                self._kill()
        return bool(data)

    def _relay_frames(self, data: bytes) -> None:
        for frame in self._relay.frames(data):
            self._link.send(frame)

    def _hear_controller(self) -> bool:
        if self._link.is_closed:
            raise LinkClosedError("the controller closed the link")
        return True  # a command that waits for its turn

    def _hear_zygote(self) -> bool:
        try:
            answer = read_frame(self._control.fileno())
        except (FrameError, OSError):
            answer = None
        if answer is None:
            self._orphaned = True
            # Spares this process, the first one of the container, and nobody else.
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            return True
        if self._child is None:
            self._child = int(answer)
            if self._violation is not None:
                self._kill()
        else:
            self._ended = TrialExit.from_bytes(answer)
        return self._ended is not None

    def _kill(self) -> None:
        # Its children end when the zygote sees its end.
        if self._child is not None and self._ended is None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)

    def _bury(self) -> None:
        deadline = time.monotonic() + LEFTOVER_SECONDS
        _reap()
        while other_processes(self._family):
            if time.monotonic() > deadline:
                raise SupervisorError("a process of the trial cannot be killed")
            time.sleep(0.001)
            _reap()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
