"""Containers that lie: each lie is charged to the trial that told it, and to no other."""

import asyncio

import pytest
from tests.sandbox.builders import DAY, FIRST_BAR, batch, trial
from tests.sandbox.member_scene import scene
from tests.sandbox.stand_in import (
    Channel,
    hang,
    market_order,
)

from stratlab.domain.errors import EngineError
from stratlab.domain.trial import Outcome
from stratlab_proto.runner.v1 import runner_service_pb2 as pb


@pytest.mark.parametrize("garbage", [b"\xff" * 40, b"", b"\x0a\x05hello" * 100])
async def test_garbage_instead_of_hello_is_nobody_s_trial(garbage: bytes) -> None:
    async def babble(channel: Channel) -> None:
        await channel.send_bytes(garbage)
        await hang()

    async with scene(babble) as here:
        with pytest.raises(EngineError, match="greet"):
            await here.run(batch())


async def _wrong_nonce(channel: Channel, trial_id: str) -> None:
    channel.nonce = b"guess"
    await channel.start_trial(trial_id)


async def _wrong_sequence(channel: Channel, trial_id: str) -> None:
    channel.sequence += 1
    await channel.start_trial(trial_id)


async def _garbage(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.send_bytes(b"\xff\x00garbage")


async def _oversize(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.send_bytes(b"\x00" * (5 << 20))


async def _not_a_number(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    equity = pb.EquityBatch(trial_id=trial_id, bars=[FIRST_BAR], values=[float("nan")])
    await channel.send(equity=equity)


async def _foreign_symbol(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    entry = market_order(symbol="MSFT")
    await channel.send(log=pb.LogBatch(trial_id=trial_id, entries=[entry]))


async def _future_bar(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    entry = market_order(bar=FIRST_BAR + 4000 * DAY)
    await channel.send(log=pb.LogBatch(trial_id=trial_id, entries=[entry]))


async def _hello_again(channel: Channel, trial_id: str) -> None:
    channel.nonce = b""
    await channel.send(hello=pb.Hello())


async def _hung_up(channel: Channel, trial_id: str) -> None:
    await channel.start_trial(trial_id)
    await channel.hang_up()


@pytest.mark.parametrize(
    "misdeed",
    [
        _wrong_nonce,
        _wrong_sequence,
        _garbage,
        _oversize,
        _not_a_number,
        _foreign_symbol,
        _future_bar,
        _hello_again,
        _hung_up,
    ],
)
async def test_misdeed_in_a_trial_is_a_protocol_violation_of_that_trial(misdeed: object) -> None:
    async def misbehave(channel: Channel) -> None:
        await channel.greet()
        await channel.succeed((await channel.next_run()).trial_id)
        run = await channel.next_run()
        await misdeed(channel, run.trial_id)
        await hang()

    async with scene(misbehave) as here:
        report = await here.run(batch(trial("good"), trial("bad"), trial("later")))
    assert [(c.trial_id, c.outcome) for c in report.claims] == [
        ("good", Outcome.SUCCEEDED),
        ("bad", Outcome.PROTOCOL_VIOLATION),
    ]
    assert report.claims[1].reason


async def test_frame_after_the_last_end_voids_that_trial() -> None:
    async def late(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.succeed(run.trial_id)
        await channel.finish(run.trial_id)
        await hang()

    async with scene(late) as here:
        report = await here.run(batch())
    assert report.claims[0].outcome is Outcome.PROTOCOL_VIOLATION


async def test_frame_of_an_ended_trial_in_the_next_voids_the_ended_one_only() -> None:
    async def late(channel: Channel) -> None:
        await channel.greet()
        first = await channel.next_run()
        await channel.succeed(first.trial_id)
        await channel.next_run()
        await channel.finish(first.trial_id)
        await hang()

    async with scene(late) as here:
        report = await here.run(batch(trial("a"), trial("b")))
    assert [(c.trial_id, c.outcome) for c in report.claims] == [("a", Outcome.PROTOCOL_VIOLATION)]


async def test_half_a_frame_is_a_protocol_violation() -> None:
    async def half(channel: Channel) -> None:
        await channel.greet()
        run = await channel.next_run()
        await channel.start_trial(run.trial_id)
        frame = pb.AttachRequest(
            sequence=channel.sequence, nonce=channel.nonce, output=pb.Output(tail=b"x" * 1000)
        ).SerializeToString()
        await channel.send_bytes(frame[: len(frame) // 2])
        await hang()

    async with scene(half) as here:
        report = await here.run(batch(wall_seconds=1))
    assert report.claims[0].outcome is Outcome.PROTOCOL_VIOLATION


async def test_second_connection_is_refused() -> None:
    refused: list[str] = []

    async def twice(channel: Channel) -> None:
        await channel.greet()
        await asyncio.sleep(0.1)
        second = Channel(channel.path)
        try:
            await second.greet()
        except Exception as error:  # noqa: BLE001 - any refusal will do
            refused.append(type(error).__name__)
        await second.close()
        run = await channel.next_run()
        await channel.succeed(run.trial_id)
        await channel.next_run()

    async with scene(twice) as here:
        report = await here.run(batch())
    assert len(refused) == 1
    assert report.claims[0].outcome is Outcome.SUCCEEDED
