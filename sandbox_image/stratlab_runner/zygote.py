"""The warm interpreter: imports zipline, opens the data, and forks one process per trial.

It never runs foreign code, never holds the link's socket or nonce, and is single-threaded, so
that its children start clean.
"""

import gc
import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self, final

from stratlab_runner.kernel import processes_of_session
from stratlab_runner.strategy_process import StrategyProcess
from stratlab_runner.wire import pack, read_frame

if TYPE_CHECKING:
    from stratlab_runner.tier_data import TierData

RUN: Final = b"R"
"""Begins a request: a frame with a RunTrial, and two descriptors come with this byte."""
PREPARE: Final = b"P"
"""Asks for a process that waits for the next trial."""

_DESCRIPTORS: Final = 2
_SWEEPS: Final = 50


@final
@dataclass(frozen=True, slots=True)
class TrialExit:
    """How a trial's process ended, as its parent saw it.

    Attributes:
        status: As of ``wait4``.
        wall_seconds, cpu_seconds, max_rss_bytes: Of that process.
    """

    status: int
    wall_seconds: float
    cpu_seconds: float
    max_rss_bytes: int


@final
@dataclass(frozen=True, slots=True)
class News:
    """What the zygote tells the supervisor.

    Attributes:
        pid: Of the process that it is about.
        trial_id: Of the trial that the process runs, "" while it waits for one.
        exit: How it ended, None while it lives.
    """

    pid: int
    trial_id: str = ""
    exit: TrialExit | None = None

    def to_bytes(self) -> bytes:
        """Return the form that goes over the control socket."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            ValueError: It is something else.
        """
        fields = json.loads(data)
        ended = fields.pop("exit")
        return cls(**fields, exit=None if ended is None else TrialExit(**ended))


def serve(control: socket.socket, data: Path, feed: int | None = None) -> NoReturn:
    """Become the zygote; ends with the process.

    Answers are frames of :class:`News`: one about the first process that waits, when all is warm,
    then one about each process that is prepared, begins a trial, or has ended one.

    Args:
        control: Connected to the supervisor.
        data: Directory of the tier.
        feed: What the controller reveals bars by; there is no such directory then.
    """
    _Zygote(control, _warm_up(data, feed)).serve()


def _warm_up(data: Path, feed: int | None) -> "TierData":
    # Imports leave hardly any garbage, and looking for it takes a fifth of all this.
    gc.disable()
    # Imported here: the supervisor, which this process was forked from, needs none of it.
    from stratlab_runner.sealed.market import SealedMarket  # noqa: PLC0415
    from stratlab_runner.tier_data import open_tier  # noqa: PLC0415
    from stratlab_runner.trial import rehearse  # noqa: PLC0415

    tier = open_tier(data) if feed is None else SealedMarket.open(feed).tier
    rehearse(tier)
    # What exists now is never collected, so its pages stay shared with the children.
    gc.freeze()
    gc.enable()
    return tier


@final
class _Zygote:
    def __init__(self, control: socket.socket, tier: "TierData") -> None:
        self._control = control
        self._tier = tier
        self._waiting: StrategyProcess | None = None
        self._trials: dict[int, tuple[str, float]] = {}
        # Not a pipe: under gVisor another process could open that by its name in /proc.
        self._wake, self._waker = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (self._wake, self._waker):
            end.settimeout(0)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # Only signals with a handler wake anybody.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> NoReturn:
        self._prepare(rehearsed=True)
        while True:
            ready, _, _ = select.select([self._control, self._wake], [], [])
            if self._wake in ready:
                with suppress(BlockingIOError):
                    self._wake.recv(4096)
                self._bury()
            if self._control in ready:
                self._obey()

    def _prepare(self, *, rehearsed: bool = False) -> None:
        self._waiting = StrategyProcess.fork(self._tier, rehearsed=rehearsed)
        self._tell(News(self._waiting.pid))

    def _obey(self) -> None:
        order, descriptors, _, _ = socket.recv_fds(self._control, 1, _DESCRIPTORS)
        if order == RUN:
            self._run(read_frame(self._control.fileno()) or b"", *descriptors)
        elif order == PREPARE:
            self._prepare()
        else:
            os._exit(0)

    def _run(self, request: bytes, frames: int, output: int) -> None:
        from stratlab_proto.runner.v1 import runner_service_pb2 as pb  # noqa: PLC0415 - as above

        trial_id = pb.RunTrial.FromString(request).trial_id
        process, self._waiting = self._waiting, None
        if process is None:
            process = StrategyProcess.fork(self._tier, rehearsed=False)
        began = time.monotonic()
        process.give(request, frames, output)
        os.close(frames)
        os.close(output)
        self._trials[process.pid] = trial_id, began
        self._tell(News(process.pid, trial_id))

    def _bury(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid not in self._trials:
                self._forget(pid)
                continue
            trial_id, began = self._trials.pop(pid)
            wall_seconds = time.monotonic() - began
            self._kill_what_it_left(pid)
            cpu_seconds = usage.ru_utime + usage.ru_stime
            ended = TrialExit(status, wall_seconds, cpu_seconds, usage.ru_maxrss * 1024)
            self._tell(News(pid, trial_id, ended))

    def _forget(self, pid: int) -> None:
        if self._waiting is not None and self._waiting.pid == pid:
            self._waiting.close()
            self._waiting = None

    def _kill_what_it_left(self, session: int) -> None:
        if not self._trials:
            # Atomic in the kernel, so no fork can outrun it: everything but this process and the
            # first one, which the kernel spares.
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            return
        # Other trials run. What left the session, or forks too fast, ends with the last of them.
        for _ in range(_SWEEPS):
            left = processes_of_session(session)
            if not left:
                return
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _tell(self, news: News) -> None:
        self._control.sendall(pack(news.to_bytes()))
