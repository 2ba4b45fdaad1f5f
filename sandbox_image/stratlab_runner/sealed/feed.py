"""The trial's end of the socket by which the controller reveals bars: commit, then look."""

import os
import socket
from collections import deque
from pathlib import Path
from typing import Final, final

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed
from stratlab_runner.wire import FrameBuffer, write_frame

MOST_ENTRIES: Final = 4096
"""Orders and cancels in one commit; what is beyond goes into another one."""

_READ_BYTES: Final = 1 << 18


@final
class FeedClosedError(Exception):
    """The controller reveals no more."""


def connect(path: Path) -> int | None:
    """Return a descriptor of the feed, None where the controller reveals nothing.

    Args:
        path: Of the controller's socket; it exists before the container does, or never.

    Raises:
        OSError: It exists, and nobody listens.
    """
    if not path.exists():
        return None
    feed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    feed.connect(str(path))
    return feed.detach()


@final
class Feed:
    """Commits orders and receives bars; blocks until they are there.

    Args:
        descriptor: Of the connected socket.

    Attributes:
        descriptor: As above; a process may move it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._buffer = FrameBuffer()
        self._received: deque[bytes] = deque()
        self._placed: list[pb.LogEntry] = []

    def opening(self) -> sealed.Opening:
        """Return the first message.

        Raises:
            FeedClosedError: There is none.
        """
        return sealed.Opening.FromString(self._receive())

    def past(self) -> sealed.Reveal:
        """Return the next message about the past.

        Raises:
            FeedClosedError: There is none.
        """
        return sealed.Reveal.FromString(self._receive())

    def place(self, entry: pb.LogEntry) -> None:
        """Add an order or cancel to what the next commit holds."""
        self._placed.append(entry)

    def reveal(self) -> sealed.Reveal:
        """Commit what was placed and return what becomes known.

        Raises:
            FeedClosedError: The controller refuses.
        """
        self._commit(sealed.Commit.NEXT_REVEAL)
        return sealed.Reveal.FromString(self._receive())

    def end(self) -> None:
        """Commit what was placed last, and return when the controller has it.

        Raises:
            FeedClosedError: The controller refuses.
        """
        self._commit(sealed.Commit.NEXT_END)
        self._receive()

    def _commit(self, following: sealed.Commit.Next.ValueType) -> None:
        placed, self._placed = self._placed, []
        try:
            while len(placed) > MOST_ENTRIES:
                part, placed = placed[:MOST_ENTRIES], placed[MOST_ENTRIES:]
                self._send(sealed.Commit(entries=part, next=sealed.Commit.NEXT_COMMIT))
            self._send(sealed.Commit(entries=placed, next=following))
        except OSError as error:
            raise FeedClosedError("the controller takes no more orders") from error

    def _send(self, commit: sealed.Commit) -> None:
        write_frame(self.descriptor, commit.SerializeToString())

    def _receive(self) -> bytes:
        while not self._received:
            data = os.read(self.descriptor, _READ_BYTES)
            if not data:
                raise FeedClosedError("the controller reveals no more bars")
            self._received.extend(self._buffer.feed(data))
        return self._received.popleft()
