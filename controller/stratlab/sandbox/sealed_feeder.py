"""The controller's end of a feed: takes the orders of a bar, then reveals the next one.

On the event loop, without gRPC between: a trial waits for every single bar.
"""

import asyncio
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from google.protobuf.message import DecodeError

from stratlab.domain.errors import EngineError
from stratlab.sandbox.entries import FrameViolationError, require
from stratlab.sandbox.frames import FrameValidator
from stratlab.sandbox.sockets import allow_only
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed

FEED_NAME: Final = "feed.sock"
"""Name of the socket; the runner looks for it when it starts."""
MAX_MESSAGE_BYTES: Final = 1 << 20
"""As the runner has it."""

if TYPE_CHECKING:
    from stratlab.sandbox.sealed_script import Script

_PREFIX: Final = struct.Struct(">I")
_END: Final = sealed.Reveal(end=True).SerializeToString()


@final
class Feeder(asyncio.Protocol):
    """Reveals one trial's market to one process; a second connection finds nobody.

    Orders and cancels are stamped here, with the last bar that was revealed; whoever claims
    another one is a liar. What it says beside that is checked as every frame is.

    Args:
        script: What is revealed.
    """

    def __init__(self, script: "Script") -> None:
        self._script = script
        self._frames: FrameValidator | None = None
        self._trial_id = ""
        self._path: Path | None = None
        self._server: asyncio.Server | None = None
        self._transport: asyncio.Transport | None = None
        self._pending = bytearray()
        self._revealed = 0
        self._ended = False
        self._closed = False
        self._violation: asyncio.Future[FrameViolationError] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every bar was revealed and the orders of the last one are here."""
        return self._ended and self._revealed == len(self._script.labels)

    async def open(self, directory: Path, uid: int) -> None:
        """Listen.

        Args:
            directory: Of the member's sockets; the container does not exist yet.
            uid: User id that may connect.

        Raises:
            UnsafeConfigurationError: The socket cannot be closed to other users.
            EngineError: The socket cannot be made.
        """
        loop = asyncio.get_running_loop()
        self._violation = loop.create_future()
        path = directory / FEED_NAME
        try:
            self._server = await loop.create_unix_server(lambda: self, str(path))
            self._path = path
            allow_only(path, uid)
        except OSError as error:
            raise EngineError(f"the socket of a feed cannot be made: {error}") from error

    def serve(self, frames: FrameValidator, trial_id: str) -> None:
        """Take orders from now on.

        Args:
            frames: What checks and records the trial.
            trial_id: The trial.
        """
        self._frames, self._trial_id = frames, trial_id

    async def violation(self) -> FrameViolationError:
        """Wait until the other end does what no honest runner does."""
        assert self._violation is not None
        return await self._violation

    def close(self) -> None:
        """Stop listening and hang up; may be called twice."""
        self._closed = True
        self._stop_listening()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the first that comes what it may know from the start."""
        assert isinstance(transport, asyncio.Transport)
        if self._transport is not None or self._closed:
            transport.abort()
            return
        self._transport = transport
        self._stop_listening()
        for message in self._script.opening:
            self._send(message)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived of a commit."""
        if self._violation is None or self._violation.done():
            return
        self._pending += data
        try:
            while (message := self._next_message()) is not None:
                self._hear(message)
        except FrameViolationError as violation:
            self._violation.set_result(violation)
            self.close()

    def _next_message(self) -> bytes | None:
        if len(self._pending) < _PREFIX.size:
            return None
        (length,) = _PREFIX.unpack_from(self._pending)
        require(0 < length <= MAX_MESSAGE_BYTES, "a commit is empty or too large")
        end = _PREFIX.size + length
        if len(self._pending) < end:
            return None
        message = bytes(self._pending[_PREFIX.size : end])
        del self._pending[:end]
        return message

    def _hear(self, message: bytes) -> None:
        require(self._frames is not None, "a commit before the trial")
        require(not self._ended, "a commit after the last one")
        assert self._frames is not None
        try:
            commit = sealed.Commit.FromString(message)
        except DecodeError:
            raise FrameViolationError("a commit cannot be decoded") from None
        # Whoever has the last answer has taken all of it.
        require(self._sent, "a commit before the last bar was read")
        self._check_stamps(commit)
        record = self._frames.commit(self._trial_id, commit.entries, len(message))
        labels = self._script.labels
        match commit.next:
            case sealed.Commit.NEXT_COMMIT:
                require(len(commit.entries) > 0, "a commit of nothing")
            case sealed.Commit.NEXT_REVEAL:
                require(self._revealed < len(labels), "a commit asks for more bars than there are")
                # Nothing may be reported of a bar before it was revealed.
                record.last_bar = labels[self._revealed]
                self._send(self._script.reveal(self._revealed))
                self._revealed += 1
            case sealed.Commit.NEXT_END:
                self._ended = True
                self._send(_END)
            case _:
                raise FrameViolationError("a commit waits for nothing")

    def _check_stamps(self, commit: sealed.Commit) -> None:
        revealed = self._revealed
        bar = self._script.labels[max(0, revealed - 1)]
        phase = pb.LogEntry.PHASE_BAR if revealed else pb.LogEntry.PHASE_BEFORE_OPEN
        for entry in commit.entries:
            require(
                entry.bar == bar and entry.phase == phase,
                "an order claims another bar than the last one that was revealed",
            )

    def _send(self, message: bytes) -> None:
        assert self._transport is not None
        self._transport.write(_PREFIX.pack(len(message)) + message)

    @property
    def _sent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._path is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._path = None
