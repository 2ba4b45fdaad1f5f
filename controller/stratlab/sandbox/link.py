"""One member's end of the wire: a gRPC server on a unix socket of its own, for one call."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final, final

import grpc
import grpc.aio

from stratlab.domain.errors import EngineError
from stratlab.sandbox.frames import MAX_FRAME_BYTES
from stratlab.sandbox.sockets import allow_only, socket_path
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

_SERVICE: Final = "stratlab.runner.v1.RunnerService"
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.max_concurrent_streams", 1),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 1),
)
_DRAIN_SECONDS: Final = 10**6


@final
class LinkClosedError(Exception):
    """The container ended the call or went away."""


@final
class Link:
    """Serves ``RunnerService.Attach`` once to one user id.

    Frames come out as bytes: whoever reads them counts and checks them first.

    Args:
        directory: Of this member alone; must not exist yet.
        uid: User id that may connect.

    Raises:
        UnsafeConfigurationError: The path is too long for a unix socket.
    """

    def __init__(self, directory: Path, uid: int) -> None:
        self.directory = directory
        self._path = socket_path(directory)
        self._uid = uid
        self._made = False
        self._server: grpc.aio.Server | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._call: grpc.aio.ServicerContext[bytes, bytes] | None = None
        self._attached = asyncio.Event()
        self._closed = asyncio.Event()
        self._reading: asyncio.Task[bytes] | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            UnsafeConfigurationError: The socket cannot be closed to other users.
            EngineError: The socket cannot be made.
        """
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self._attach
        )
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"Attach": handler}),)
        )
        try:
            # Nobody can pass the directory while the socket still has the umask's mode.
            self.directory.mkdir(mode=0o700)
            self._made = True
            server.add_insecure_port(f"unix:{self._path}")
            self._server = server
            await server.start()
            allow_only(self._path, self._uid)
            self.directory.chmod(0o711)
        except (OSError, RuntimeError) as error:
            raise EngineError(f"the socket of a member cannot be made: {error}") from error

    async def attached(self) -> None:
        """Wait for the first call; afterwards nobody else can connect."""
        await self._attached.wait()

    async def receive(self) -> bytes:
        """Return the next frame; a cancellation leaves it for the next call.

        Raises:
            LinkClosedError: There will be none.
        """
        reading = self.arrival()
        await asyncio.wait({reading})
        if reading.cancelled():
            raise LinkClosedError
        data = reading.result()
        self._reading = None
        return data

    def arrival(self) -> "asyncio.Task[bytes]":
        """Return the task that ends when a frame has come, or there will be none.

        The frame is still to be taken by :meth:`receive`; until then this is the same task.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def send(self, response: pb.AttachResponse) -> None:
        """Send a frame.

        Raises:
            LinkClosedError: The container went away.
        """
        if self._call is None or self._closed.is_set():
            raise LinkClosedError
        try:
            await self._call.write(response.SerializeToString())
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise LinkClosedError from error

    async def close(self) -> None:
        """End the call and remove socket and directory; may be called twice."""
        self._closed.set()
        if self._stopping is not None:
            self._stopping.cancel()
            with suppress(asyncio.CancelledError):
                await self._stopping
        if self._server is not None:
            await self._server.stop(None)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._made:
            with suppress(FileNotFoundError):
                self._path.unlink()
            with suppress(FileNotFoundError):
                self.directory.rmdir()

    async def _read(self) -> bytes:
        if self._call is None or self._closed.is_set():
            raise LinkClosedError
        try:
            data = await self._call.read()
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise LinkClosedError from error
        if not isinstance(data, bytes):
            raise LinkClosedError
        return data

    async def _attach(self, _: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        if self._call is not None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "one call only")
        self._call = context
        # Without its path nobody reaches the listener any more; the graceful stop closes it
        # and keeps the call that is open.
        self._path.unlink()
        assert self._server is not None
        self._stopping = asyncio.create_task(self._server.stop(_DRAIN_SECONDS))
        self._attached.set()
        await self._closed.wait()
