"""The container's end of the link: one gRPC stream, with sequence numbers and the nonce."""

import os
import queue
import threading
from collections.abc import Iterator
from typing import Final, final

import grpc

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1.runner_service_pb2_grpc import RunnerServiceStub
from stratlab_runner.contract import RUNNER_VERSION

MAX_MESSAGE_BYTES: Final = 4 << 20
CLOSE_SECONDS: Final = 5.0
QUEUED_FRAMES: Final = 64
"""Frames that wait for the controller; then the trial waits."""


@final
class LinkClosedError(Exception):
    """The controller is gone or broke the protocol; the container has no reason to live."""


@final
class Link:
    """The connection to the controller; commands arrive on a thread of gRPC.

    Args:
        address: gRPC address of the controller's socket for this container.

    Attributes:
        wake: A descriptor that is readable while a command, or the end, waits to be taken.
    """

    def __init__(self, address: str) -> None:
        self._frames: queue.Queue[pb.AttachRequest | None] = queue.Queue(QUEUED_FRAMES)
        self._commands: queue.SimpleQueue[pb.AttachResponse | None] = queue.SimpleQueue()
        self._nonce = b""
        self._sequence = 0
        # Not a pipe: under gVisor another process could open that by its name in /proc.
        self.wake = os.eventfd(0, os.EFD_SEMAPHORE)
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.enable_retries", 0),
                # There is no network here: nothing to resolve, no proxy to ask.
                ("grpc.enable_http_proxy", 0),
                ("grpc.default_authority", "controller"),
            ],
        )
        self._call = RunnerServiceStub(self._channel).Attach(self._requests())
        self._receiver = threading.Thread(target=self._receive, name="link", daemon=True)
        self._receiver.start()

    def handshake(self) -> None:
        """Say hello and learn the nonce.

        Raises:
            LinkClosedError: No controller, or no welcome.
        """
        self.send(pb.AttachRequest(hello=pb.Hello(runner_version=RUNNER_VERSION)))
        welcome = self.command()
        if welcome.WhichOneof("frame") != "welcome":
            raise LinkClosedError("no welcome")
        self._nonce = welcome.welcome.nonce

    def send(self, frame: pb.AttachRequest) -> None:
        """Stamp a frame and queue it; waits while the controller does not read."""
        frame.sequence = self._sequence
        frame.nonce = self._nonce
        self._sequence += 1
        self._frames.put(frame)

    def command(self) -> pb.AttachResponse:
        """Wait for the next command.

        Raises:
            LinkClosedError: There will be none.
        """
        command = self._commands.get()
        os.eventfd_read(self.wake)
        if command is None:
            raise LinkClosedError("the controller closed the link")
        return command

    def close(self) -> None:
        """Send what is queued, end the stream and wait for the controller to end it too."""
        self._frames.put(None)
        self._receiver.join(CLOSE_SECONDS)
        self._channel.close()

    def _requests(self) -> Iterator[pb.AttachRequest]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def _receive(self) -> None:
        try:
            for command in self._call:
                self._commands.put(command)
                os.eventfd_write(self.wake, 1)
        except grpc.RpcError:
            pass  # the end of the stream, whatever its reason
        self._commands.put(None)
        os.eventfd_write(self.wake, 1)
