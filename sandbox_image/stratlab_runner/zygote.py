"""The warm interpreter: imports zipline, opens the data, and forks one process per trial.

It never runs foreign code, never holds the link's socket or nonce, and is single-threaded, so
that its children start clean.
"""

import gc
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self, final

from stratlab_runner.kernel import PR_SET_PDEATHSIG, process_flag
from stratlab_runner.wire import pack, read_frame

if TYPE_CHECKING:
    from stratlab_runner.tier_data import TierData

FRAMES_FD: Final = 3
"""Descriptor of the frames' pipe in a trial's process; 0 to 2 are its standard streams."""

_DESCRIPTORS: Final = 2


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

    def to_bytes(self) -> bytes:
        """Return the form that goes over the control socket."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            ValueError: It is something else.
        """
        return cls(**json.loads(data))


def serve(control: socket.socket, data: Path) -> NoReturn:
    """Become the zygote; ends with the process.

    Every request is a frame with a RunTrial and two descriptors, the write ends of the pipes for
    frames and for output. Answers are frames: one when warm, then the process id and the exit of
    each trial.

    Args:
        control: Connected to the supervisor.
        data: Directory of the tier.
    """
    tier = _warm_up(data)
    control.sendall(pack(b"warm"))
    while True:
        marker, descriptors, _, _ = socket.recv_fds(control, 1, _DESCRIPTORS)
        if not marker:
            os._exit(0)
        request = read_frame(control.fileno())
        frames, output = descriptors
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(request or b"", tier, frames, output)
        os.close(frames)
        os.close(output)
        control.sendall(pack(str(child).encode()))
        _, status, usage = os.wait4(child, 0)
        wall_seconds = time.monotonic() - started
        # Atomic in the kernel, so no fork can outrun it: everything but this process and the
        # first one, which the kernel spares.
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        ended = TrialExit(
            status, wall_seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        )
        control.sendall(pack(ended.to_bytes()))


def _warm_up(data: Path) -> "TierData":
    # Imported here: the supervisor, which this process was forked from, needs none of it.
    from stratlab_runner.tier_data import open_tier  # noqa: PLC0415
    from stratlab_runner.trial import rehearse  # noqa: PLC0415

    tier = open_tier(data)
    rehearse(tier)
    gc.collect()
    # What exists now is never collected again, so its pages stay shared with the children.
    gc.freeze()
    return tier


def _run(request: bytes, tier: "TierData", frames: int, output: int) -> NoReturn:
    code = 1
    try:
        process_flag(PR_SET_PDEATHSIG, signal.SIGKILL)
        _keep_only(frames, output)
        from stratlab_proto.runner.v1 import runner_service_pb2 as pb  # noqa: PLC0415
        from stratlab_runner.trial import run_trial  # noqa: PLC0415

        code = 0 if run_trial(pb.RunTrial.FromString(request), tier, FRAMES_FD) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # No handler that the strategy registered may run now.
        os._exit(code)


def _keep_only(frames: int, output: int) -> None:
    # Above all that is open, so that no dup2 overwrites a descriptor that is still needed.
    top = max(frames, output, FRAMES_FD) + 1
    os.dup2(frames, top)
    os.dup2(output, top + 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(top + 1, 1)
    os.dup2(top + 1, 2)
    os.dup2(top, FRAMES_FD, inheritable=False)
    os.closerange(FRAMES_FD + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
