"""Serves the controller: hands trials on, relays what they say, and leaves nothing of them behind.

Trials run beside each other when the controller asks for one before another has ended. They are
of one candidate: what they may know of each other, they know anyway.
"""

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, final

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.kernel import other_processes
from stratlab_runner.link import Link
from stratlab_runner.scratch import empty_directory
from stratlab_runner.trial_run import TrialRun
from stratlab_runner.wire import FrameError, pack, read_frame
from stratlab_runner.zygote import PREPARE, RUN, News, TrialExit

SCRATCH: Final = Path("/tmp")  # noqa: S108 - the container's own tmpfs
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
    _Supervisor(link, control, zygote).serve()
    link.close()


@final
class _Supervisor:
    def __init__(self, link: Link, control: socket.socket, zygote: int) -> None:
        self._link = link
        self._control = control
        self._family = {os.getpid(), zygote}
        self._runs: dict[str, TrialRun] = {}
        self._selector = selectors.DefaultSelector()
        self._done = False

    def serve(self) -> None:
        with self._selector as selector:
            selector.register(self._control, selectors.EVENT_READ, self._hear_zygote)
            selector.register(self._link.wake, selectors.EVENT_READ, self._hear_controller)
            while not self._done:
                for key, _ in selector.select(self._patience()):
                    key.data()
                for run in self._runs.values():
                    run.enforce_deadline()
                _reap()

    def _patience(self) -> float | None:
        if not self._runs:
            return None
        now = time.monotonic()
        left = [run.deadline - now for run in self._runs.values()]
        return max(0.0, min([REAP_SECONDS, *left]))

    def _hear_controller(self) -> None:
        command = self._link.command()
        if command.WhichOneof("frame") == "run":
            self._start(command.run)
        else:
            self._done = True

    def _start(self, request: pb.RunTrial) -> None:
        frames, their_frames = os.pipe()
        output, their_output = os.pipe()
        run = TrialRun(request, self._link, frames, output)
        self._runs[request.trial_id] = run
        try:
            socket.send_fds(self._control, [RUN], [their_frames, their_output])
            self._control.sendall(pack(request.SerializeToString()))
        except OSError as error:
            raise SupervisorError("the zygote is gone") from error
        finally:
            os.close(their_frames)
            os.close(their_output)
        for pipe in (frames, output):
            self._selector.register(pipe, selectors.EVENT_READ, partial(self._hear, run, pipe))

    def _hear(self, run: TrialRun, pipe: int) -> None:
        if pipe in run.pipes and not run.read(pipe):
            self._selector.unregister(pipe)
            run.close(pipe)

    def _hear_zygote(self) -> None:
        try:
            answer = read_frame(self._control.fileno())
        except (FrameError, OSError):
            answer = None
        if answer is None:
            # Spares this process, the first one of the container, and nobody else.
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            for run in list(self._runs.values()):
                self._end(run, None)
            raise SupervisorError("the zygote is gone")
        news = News.from_bytes(answer)
        if not news.trial_id:
            return  # a process waits for the next trial
        run = self._runs[news.trial_id]
        if news.exit is None:
            run.began(news.pid)
            return
        self._end(run, news.exit)
        if not self._runs:
            with suppress(OSError):  # that the zygote is gone shows when it is read from
                self._control.sendall(PREPARE)

    def _end(self, run: TrialRun, ended: TrialExit | None) -> None:
        for pipe in tuple(run.pipes):
            self._selector.unregister(pipe)
            run.drain(pipe)
            run.close(pipe)
        del self._runs[run.request.trial_id]
        if not self._runs:
            self._bury()
            empty_directory(SCRATCH)
        run.report(ended)

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
