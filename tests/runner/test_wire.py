"""Length-prefixed frames on a pipe, honest and hostile."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab_runner.wire import (
    MAX_FRAME_BYTES,
    FrameBuffer,
    FrameError,
    pack,
    read_frame,
    write_frame,
)

payloads = st.lists(st.binary(min_size=1, max_size=200), max_size=20)


@given(payloads, st.lists(st.integers(1, 50), min_size=1))
def test_buffer_any_cutting_of_the_stream_gives_the_same_frames(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(pack, frames))
    buffer, received, position = FrameBuffer(), [], 0
    for number in range(len(stream)):
        if position >= len(stream):
            break
        size = cuts[number % len(cuts)]
        received += buffer.feed(stream[position : position + size])
        position += size
    assert received == frames
    assert buffer.is_empty


@given(st.binary(max_size=300))
def test_buffer_hostile_bytes_are_frames_or_an_error(data: bytes) -> None:
    buffer = FrameBuffer()
    try:
        frames = buffer.feed(data)
    except FrameError:
        return
    assert sum(len(frame) + 4 for frame in frames) <= len(data)


def test_buffer_oversize_length_is_refused_before_the_payload_arrives() -> None:
    with pytest.raises(FrameError, match="1048577 bytes"):
        FrameBuffer().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


@pytest.mark.parametrize("size", [0, MAX_FRAME_BYTES + 1])
def test_pack_payload_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(FrameError):
        pack(b"x" * size)


def test_read_frame_pipe_returns_what_was_written_then_none() -> None:
    reader, writer = os.pipe()
    try:
        write_frame(writer, b"first")
        write_frame(writer, b"second")
        os.close(writer)
        assert [read_frame(reader) for _ in range(3)] == [b"first", b"second", None]
    finally:
        os.close(reader)


@pytest.mark.parametrize("cut", [2, 6])
def test_read_frame_end_inside_a_frame_is_an_error(cut: int) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, pack(b"payload")[:cut])
        os.close(writer)
        with pytest.raises(FrameError, match="ended inside"):
            read_frame(reader)
    finally:
        os.close(reader)
