"""Room is bounded, first come first served within a campaign, and fair between campaigns."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.sandbox.admission import NOTHING, Admission, Need

ONE = Need(1, 100)


async def serve(admission: Admission, campaigns: list[str]) -> list[str]:
    order: list[str] = []

    async def one(campaign: str) -> None:
        async with admission.turn(campaign, ONE):
            order.append(campaign)
            await asyncio.sleep(0)

    tasks = []
    for campaign in campaigns:
        tasks.append(asyncio.create_task(one(campaign)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return order


async def test_small_campaign_behind_a_large_one_waits_one_turn_only() -> None:
    admission = Admission(1)
    async with admission.turn("x", ONE):
        task = asyncio.create_task(serve(admission, ["big"] * 5 + ["small"] * 2))
        await asyncio.sleep(0.01)
    assert await task == ["big", "small", "big", "small", "big", "big", "big"]


async def test_capacity_is_never_exceeded() -> None:
    admission, holding, most = Admission(3), 0, 0

    async def hold(campaign: str) -> None:
        nonlocal holding, most
        async with admission.turn(campaign, ONE):
            holding += 1
            most = max(most, holding)
            await asyncio.sleep(0.001)
            holding -= 1

    await asyncio.gather(*(hold(f"c{n % 4}") for n in range(40)))
    assert most == 3


async def test_waiter_cancelled_room_goes_to_the_next() -> None:
    admission = Admission(1)
    async with admission.turn("a", ONE):
        first = asyncio.create_task(serve(admission, ["b"]))
        second = asyncio.create_task(serve(admission, ["c"]))
        await asyncio.sleep(0.01)
        first.cancel()
    assert await asyncio.wait_for(second, 1) == ["c"]


async def test_waiter_cancelled_in_the_moment_of_its_turn_room_is_not_lost() -> None:
    admission = Admission(1)
    context = admission.turn("a", ONE)
    await context.__aenter__()
    waiting = asyncio.create_task(serve(admission, ["b"]))
    await asyncio.sleep(0.01)
    await context.__aexit__(None, None, None)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await asyncio.wait_for(serve(admission, ["c"]), 1) == ["c"]


async def test_memory_is_bounded_too_and_a_large_need_is_not_overtaken() -> None:
    admission = Admission(8)
    admission.memory_mib = 1000
    order: list[str] = []

    async def hold(name: str, need: Need) -> None:
        async with admission.turn(name, need):
            order.append(name)
            await asyncio.sleep(0.01)

    async with admission.turn("first", Need(1, 400)):
        large = asyncio.create_task(hold("large", Need(1, 700)))
        await asyncio.sleep(0)
        small = asyncio.create_task(hold("small", Need(1, 100)))
        await asyncio.sleep(0.01)
        assert order == []
    await asyncio.gather(large, small)
    assert order == ["large", "small"]


async def test_need_larger_than_everything_is_met_alone() -> None:
    admission = Admission(1)
    admission.memory_mib = 1000
    async with admission.turn("huge", Need(4, 5000)):
        assert not admission.has_room(ONE)
    assert admission.has_room(ONE)


async def test_spare_room_is_had_only_while_nobody_waits() -> None:
    admission = Admission(2)
    first = admission.spare(ONE)
    assert first is not None
    async with admission.turn("a", ONE):
        assert admission.spare(ONE) is None
        waiting = asyncio.create_task(serve(admission, ["b"]))
        await asyncio.sleep(0.01)
        first.keep(Need(0, 50))
        assert await waiting == ["b"]
        first.release()
        first.release()
    second = admission.spare(Need(2, 0))
    assert second is not None
    second.keep(NOTHING)
    assert admission.spare(Need(2, 0)) is not None


async def test_campaigns_that_hold_or_wait_are_counted() -> None:
    admission = Admission(1)
    assert admission.campaigns_with("a") == 1
    async with admission.turn("b", ONE):
        assert admission.campaigns_with("a") == 2
        waiting = asyncio.create_task(serve(admission, ["c"]))
        await asyncio.sleep(0.01)
        assert admission.campaigns_with("b") == 2
    await waiting
    assert admission.campaigns_with("a") == 1


def test_cores_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Admission(0)


@given(st.lists(st.sampled_from("abc"), max_size=20), st.integers(1, 3))
def test_everybody_is_served_once(campaigns: list[str], capacity: int) -> None:
    order = asyncio.run(serve(Admission(capacity), campaigns))
    assert sorted(order) == sorted(campaigns)
