"""Entry point of the image: forks the zygote, then becomes the supervisor.

Usage: python -P -m stratlab_runner
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

from stratlab_runner.kernel import PR_SET_DUMPABLE, missing_confinement, process_flag
from stratlab_runner.sealed.feed import connect

ADDRESS: Final = "unix:/run/stratlab/link.sock"
DATA: Final = Path("/data")
FEED: Final = Path("/run/stratlab/feed.sock")


def main() -> int:
    """Run until the controller has no more trials; returns the exit code."""
    began = time.monotonic()
    if os.getpid() != 1:
        # It kills every other process it can reach, which is right in a container alone.
        print("stratlab_runner runs only as the first process of a container", file=sys.stderr)  # noqa: T201 - no other channel
        return 2
    if missing := missing_confinement():
        print(f"stratlab_runner needs {', '.join(missing)}", file=sys.stderr)  # noqa: T201 - the same
        return 2
    # Nobody inside may read this process's memory, descriptors or environment.
    process_flag(PR_SET_DUMPABLE, 0)
    # Without handlers the kernel drops every signal to the first process from inside, so that no
    # strategy can end its container and be taken for an accident.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    feed = connect(FEED)
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    zygote_pid = os.fork()
    if zygote_pid == 0:
        control.close()
        from stratlab_runner import zygote  # noqa: PLC0415 - imported by this process alone

        zygote.serve(theirs, DATA, feed)
    theirs.close()
    if feed is not None:
        os.close(feed)
    # gRPC starts threads, so it is imported after the fork.
    from stratlab_runner.link import Link, LinkClosedError  # noqa: PLC0415
    from stratlab_runner.supervisor import SupervisorError, supervise  # noqa: PLC0415

    try:
        supervise(Link(ADDRESS), control, zygote_pid, began)
    except (LinkClosedError, SupervisorError) as error:
        print(f"stratlab_runner: {error}", file=sys.stderr)  # noqa: T201 - no other channel
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Threads of gRPC must not delay the end of the container.
    os._exit(code)
