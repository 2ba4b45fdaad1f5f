"""Length-prefixed frames over pipes: the only way a trial's process can say anything."""

import os
import struct
from typing import Final, final

MAX_FRAME_BYTES: Final = 1 << 20
"""Largest payload of one frame; a link's message may be four times as large."""

_PREFIX: Final = struct.Struct(">I")


class FrameError(Exception):
    """The other end wrote something that is no frame."""


def pack(payload: bytes) -> bytes:
    """Return ``payload`` with its length in front.

    Raises:
        FrameError: It is empty or larger than :data:`MAX_FRAME_BYTES`.
    """
    _check(len(payload))
    return _PREFIX.pack(len(payload)) + payload


def write_frame(descriptor: int, payload: bytes) -> None:
    """Write one frame to a blocking descriptor, completely.

    Raises:
        FrameError: The payload is empty or too large.
        OSError: Nobody reads any more.
    """
    data = memoryview(pack(payload))
    while data:
        data = data[os.write(descriptor, data) :]


def read_frame(descriptor: int) -> bytes | None:
    """Read one frame from a blocking descriptor; None at the end.

    Raises:
        FrameError: It ends inside a frame, or the frame's length is not allowed.
        OSError: The descriptor cannot be read.
    """
    prefix = _read_exactly(descriptor, _PREFIX.size)
    if not prefix:
        return None
    (length,) = _PREFIX.unpack(prefix)
    _check(length)
    payload = _read_exactly(descriptor, length)
    if not payload:
        raise FrameError("the stream ended inside a frame")
    return payload


@final
class FrameBuffer:
    """Cuts a stream of bytes into frames; holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no part of a frame is waiting for the rest."""
        return not self._pending

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes and return the payloads that are complete now.

        Raises:
            FrameError: A frame's length is not allowed.
        """
        self._pending += data
        complete: list[bytes] = []
        start = 0
        while len(self._pending) - start >= _PREFIX.size:
            (length,) = _PREFIX.unpack_from(self._pending, start)
            _check(length)
            end = start + _PREFIX.size + length
            if len(self._pending) < end:
                break
            complete.append(bytes(self._pending[start + _PREFIX.size : end]))
            start = end
        del self._pending[:start]
        return complete


def _check(length: int) -> None:
    if not 0 < length <= MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes; 1 to {MAX_FRAME_BYTES} are allowed")


def _read_exactly(descriptor: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = os.read(descriptor, size - len(data))
        if not piece:
            if data:
                raise FrameError("the stream ended inside a frame")
            return b""
        data += piece
    return bytes(data)
