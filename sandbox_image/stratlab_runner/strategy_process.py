"""A process for one trial: forked from the warm interpreter before its code is known, it waits.

Until a request arrives nothing foreign runs in it, and it runs one request.
"""

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final, NoReturn, Self, final

from stratlab_runner.kernel import PR_SET_PDEATHSIG, process_flag
from stratlab_runner.wire import pack, read_frame

if TYPE_CHECKING:
    from stratlab_runner.sealed.feed import Feed
    from stratlab_runner.tier_data import TierData

FRAMES_FD: Final = 3
"""Descriptor of the frames' pipe in a trial's process; 0 to 2 are its standard streams."""

FEED_FD: Final = 4
"""Descriptor of a sealed trial's feed."""

_DESCRIPTORS: Final = 2


@final
class StrategyProcess:
    """The warm interpreter's end of a process that waits for its trial.

    Attributes:
        pid: Of the process, which leads a session of its own.
    """

    def __init__(self, pid: int, requests: socket.socket) -> None:
        self.pid = pid
        self._requests = requests

    @classmethod
    def fork(cls, tier: "TierData", *, rehearsed: bool) -> Self:
        """Fork one and return when it waits.

        Args:
            tier: Data of the tier that is mounted.
            rehearsed: Whether it runs a strategy that does nothing first: what a trial writes to
                is then its own already, which takes a moment now and saves it later.

        Raises:
            OSError: No process can be started, or it ended at once.
        """
        requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pid = os.fork()
        if pid == 0:
            requests.close()
            _live(theirs, tier, rehearsed=rehearsed)
        theirs.close()
        if not requests.recv(1):
            raise OSError("the process of a trial ended before it began")
        return cls(pid, requests)

    def give(self, request: bytes, frames: int, output: int) -> None:
        """Let it run ``request``.

        Args:
            request: A RunTrial, serialised.
            frames: Write end of the pipe for frames.
            output: Write end of the pipe for what the strategy prints.

        Raises:
            OSError: It is gone.
        """
        with self._requests:
            socket.send_fds(self._requests, [b"R"], [frames, output])
            self._requests.sendall(pack(request))

    def close(self) -> None:
        """Let go of it; a process that still waits ends."""
        self._requests.close()


def _live(requests: socket.socket, tier: "TierData", *, rehearsed: bool) -> NoReturn:
    code = 1
    try:
        process_flag(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Whatever it starts is found by its session, when other trials run beside it.
        os.setsid()
        from stratlab_proto.runner.v1 import runner_service_pb2 as pb  # noqa: PLC0415
        from stratlab_runner.trial import rehearse, run_trial  # noqa: PLC0415

        if rehearsed:
            rehearse(tier)
        requests.sendall(b".")
        marker, descriptors, _, _ = socket.recv_fds(requests, 1, _DESCRIPTORS)
        if marker:
            request = pb.RunTrial.FromString(read_frame(requests.fileno()) or b"")
            frames, output = descriptors
            _keep_only(frames, output, tier.market and tier.market.feed)
            code = 0 if run_trial(request, tier, FRAMES_FD) else 1
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        # No handler that the strategy registered may run now.
        os._exit(code)


def _keep_only(frames: int, output: int, feed: "Feed | None") -> None:
    # Above all that is open, so that no dup2 overwrites a descriptor that is still needed.
    top = max(frames, output, FEED_FD, feed.descriptor if feed else 0) + 1
    os.dup2(frames, top)
    os.dup2(output, top + 1)
    if feed:
        os.dup2(feed.descriptor, top + 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(top + 1, 1)
    os.dup2(top + 1, 2)
    os.dup2(top, FRAMES_FD, inheritable=False)
    kept = FRAMES_FD
    if feed:
        kept = feed.descriptor = FEED_FD
        os.dup2(top + 2, FEED_FD, inheritable=False)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
