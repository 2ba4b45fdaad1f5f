"""The controller's end of a feed, over a real socket: order of commits, stamps, hostile bytes."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.sealed.worlds import data_set, label, panel, trial

from stratlab.domain.trial import Limits, Order, Outcome, Phase
from stratlab.sandbox.frames import FrameValidator
from stratlab.sandbox.sealed_feeder import FEED_NAME, MAX_MESSAGE_BYTES, Feeder
from stratlab.sandbox.sealed_script import Script
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed

NONCE = b"n" * 16
SECONDS = 10.0
FIRST, LAST = 4, 6


class Client:
    """What the process of a trial does, or what it must not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def receive(self) -> bytes:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        return await self._reader.readexactly(length)

    async def opening(self) -> sealed.Opening:
        opening = sealed.Opening.FromString(await self.receive())
        past = 0
        while past < opening.past_sessions:
            past += len(sealed.Reveal.FromString(await self.receive()).sessions)
        return opening

    def send(self, payload: bytes) -> None:
        self.writer.write(struct.pack(">I", len(payload)) + payload)

    def commit(self, *entries: pb.LogEntry, following: "sealed.Commit.Next.ValueType" = 2) -> None:
        self.send(sealed.Commit(entries=entries, next=following).SerializeToString())

    async def reveal(self, *entries: pb.LogEntry) -> sealed.Reveal:
        self.commit(*entries)
        return sealed.Reveal.FromString(await self.receive())


def order(number: int, bar: int, phase: "pb.LogEntry.Phase.ValueType") -> pb.LogEntry:
    return pb.LogEntry(number=number, bar=bar, phase=phase, symbol="AAA", amount=5, kind="market")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Feeder, FrameValidator, Client]]:
    prices = panel(np.ones((8, 3), "bool"))
    asked = trial(FIRST, LAST)
    feeder = Feeder(Script.of(asked, data_set(prices), prices))
    frames = FrameValidator(NONCE, sealed=True)
    for kind, frame in (("hello", pb.Hello()), ("ready", pb.Ready())):
        nonce = b"" if kind == "hello" else NONCE
        sequence = 0 if kind == "hello" else 1
        frames.feed(
            pb.AttachRequest(sequence=sequence, nonce=nonce, **{kind: frame}).SerializeToString()
        )
    frames.begin(asked, Limits())
    await feeder.open(folder, os.getuid())
    reader, writer = await asyncio.open_unix_connection(str(folder / FEED_NAME))
    feeder.serve(frames, asked.trial_id)
    try:
        async with asyncio.timeout(SECONDS):
            yield feeder, frames, Client(reader, writer)
    finally:
        feeder.close()
        writer.close()


async def test_bars_are_revealed_one_by_one_and_orders_are_stamped(tmp_path: Path) -> None:
    async with serving(tmp_path) as (feeder, frames, client):
        opening = await client.opening()
        assert (opening.past_sessions, opening.last_session) == (FIRST, "2020-01-07")
        before = order(1, label(FIRST), pb.LogEntry.PHASE_BEFORE_OPEN)
        revealed = [list((await client.reveal(before)).sessions)]
        for number in range(1, 3):
            placed = order(number + 1, label(FIRST + number - 1), pb.LogEntry.PHASE_BAR)
            revealed.append(list((await client.reveal(placed)).sessions))
        client.commit(following=sealed.Commit.NEXT_END)
        assert sealed.Reveal.FromString(await client.receive()).end
        assert revealed == [[label(FIRST + number)] for number in range(3)]
        assert feeder.is_complete
        log = frames.record_of("t0").log
        assert [(type(each), each.bar, each.phase) for each in log] == [
            (Order, label(FIRST), Phase.BEFORE_OPEN),
            (Order, label(FIRST), Phase.BAR),
            (Order, label(FIRST + 1), Phase.BAR),
        ]


@pytest.mark.parametrize(
    "lie",
    [
        order(1, label(FIRST), pb.LogEntry.PHASE_BAR),
        order(1, label(FIRST + 2), pb.LogEntry.PHASE_BAR),
        order(1, label(FIRST + 1), pb.LogEntry.PHASE_BEFORE_OPEN),
    ],
    ids=["a bar before the last", "a bar to come", "before a bar that was seen"],
)
async def test_order_of_another_bar_is_a_violation(tmp_path: Path, lie: pb.LogEntry) -> None:
    """Whoever has seen a bar cannot order at its open, or in an earlier one."""
    async with serving(tmp_path) as (feeder, frames, client):
        await client.opening()
        await client.reveal()
        await client.reveal()
        client.commit(lie)
        violation = await feeder.violation()
        assert violation.outcome is Outcome.PROTOCOL_VIOLATION
        assert "another bar" in violation.reason
        assert frames.record_of("t0").log == []


async def test_more_bars_than_there_are_is_a_violation(tmp_path: Path) -> None:
    async with serving(tmp_path) as (feeder, _, client):
        await client.opening()
        for _ in range(3):
            await client.reveal()
        client.commit()
        assert "more bars" in (await feeder.violation()).reason


async def test_commit_after_the_last_is_a_violation(tmp_path: Path) -> None:
    async with serving(tmp_path) as (feeder, _, client):
        await client.opening()
        client.commit(following=sealed.Commit.NEXT_END)
        await client.receive()
        client.commit()
        assert "after the last" in (await feeder.violation()).reason
        assert not feeder.is_complete


@pytest.mark.parametrize(
    "payload",
    [b"\xff\xff\xff", sealed.Commit().SerializeToString() or b"\x10\x00", b"\x10\x01"],
    ids=["garbage", "waits for nothing", "commits nothing"],
)
async def test_malformed_commit_is_a_violation(tmp_path: Path, payload: bytes) -> None:
    async with serving(tmp_path) as (feeder, _, client):
        await client.opening()
        client.send(payload)
        assert (await feeder.violation()).outcome is Outcome.PROTOCOL_VIOLATION


@pytest.mark.parametrize("length", [0, MAX_MESSAGE_BYTES + 1, 2**32 - 1])
async def test_length_of_no_commit_is_a_violation(tmp_path: Path, length: int) -> None:
    """Nothing is kept of a message that may not be as long."""
    async with serving(tmp_path) as (feeder, _, client):
        await client.opening()
        client.writer.write(struct.pack(">I", length))
        assert "empty or too large" in (await feeder.violation()).reason


async def test_order_beyond_the_market_set_is_a_violation(tmp_path: Path) -> None:
    async with serving(tmp_path) as (feeder, _, client):
        await client.opening()
        await client.reveal()
        entry = order(1, label(FIRST), pb.LogEntry.PHASE_BAR)
        entry.symbol = "CCC"
        client.commit(entry)
        assert "market set" in (await feeder.violation()).reason


async def test_orders_in_a_frame_are_a_violation(tmp_path: Path) -> None:
    """They would bear whatever bar they claim."""
    async with serving(tmp_path) as (_, frames, client):
        await client.opening()
        started = pb.AttachRequest(
            sequence=2, nonce=NONCE, started=pb.TrialStarted(trial_id="t0", bars=3)
        )
        frames.feed(started.SerializeToString())
        log = pb.LogBatch(trial_id="t0", entries=[order(1, label(FIRST), 2)])
        frame = pb.AttachRequest(sequence=3, nonce=NONCE, log=log)
        with pytest.raises(Exception, match="orders of a sealed trial in a frame"):
            frames.feed(frame.SerializeToString())


async def test_report_of_a_bar_to_come_is_a_violation(tmp_path: Path) -> None:
    """Equity and fills are claims about what was revealed."""
    async with serving(tmp_path) as (_, frames, client):
        await client.opening()
        await client.reveal()
        frames.feed(
            pb.AttachRequest(
                sequence=2, nonce=NONCE, started=pb.TrialStarted(trial_id="t0", bars=3)
            ).SerializeToString()
        )
        equity = pb.EquityBatch(trial_id="t0", bars=[label(FIRST + 1)], values=[1.0])
        frame = pb.AttachRequest(sequence=3, nonce=NONCE, equity=equity)
        with pytest.raises(Exception, match="outside the trial's window"):
            frames.feed(frame.SerializeToString())


async def test_second_connection_finds_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, _, client):
        await client.opening()
        assert not (tmp_path / FEED_NAME).exists()
        with pytest.raises(OSError, match="No such file"):
            await asyncio.open_unix_connection(str(tmp_path / FEED_NAME))


async def test_trial_that_asks_without_reading_is_a_violation(tmp_path: Path) -> None:
    """The controller keeps no more than one answer for it."""
    prices = panel(np.ones((60_000, 3), "bool"))
    asked = trial(59_998, 59_999)
    feeder = Feeder(Script.of(asked, data_set(prices), prices))
    await feeder.open(tmp_path, os.getuid())
    _, writer = await asyncio.open_unix_connection(str(tmp_path / FEED_NAME))
    frames = FrameValidator(NONCE, sealed=True)
    feeder.serve(frames, asked.trial_id)
    Client(asyncio.StreamReader(), writer).commit()
    async with asyncio.timeout(SECONDS):
        assert "was read" in (await feeder.violation()).reason
    feeder.close()
    writer.close()


async def test_commit_before_the_trial_is_a_violation(tmp_path: Path) -> None:
    prices = panel(np.ones((8, 3), "bool"))
    feeder = Feeder(Script.of(trial(FIRST, LAST), data_set(prices), prices))
    await feeder.open(tmp_path, os.getuid())
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / FEED_NAME))
    client = Client(reader, writer)
    await client.opening()
    client.commit()
    async with asyncio.timeout(SECONDS):
        assert "before the trial" in (await feeder.violation()).reason
    feeder.close()
    writer.close()
