"""Turns are bounded, first come first served within a campaign, and fair between campaigns."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.sandbox.slots import FairSlots


async def serve(slots: FairSlots, campaigns: list[str]) -> list[str]:
    order: list[str] = []

    async def one(campaign: str) -> None:
        async with slots.turn(campaign):
            order.append(campaign)
            await asyncio.sleep(0)

    tasks = []
    for campaign in campaigns:
        tasks.append(asyncio.create_task(one(campaign)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return order


async def test_small_campaign_behind_a_large_one_waits_one_turn_only() -> None:
    slots = FairSlots(1)
    async with slots.turn("x"):
        task = asyncio.create_task(serve(slots, ["big"] * 5 + ["small"] * 2))
        await asyncio.sleep(0.01)
    assert await task == ["big", "small", "big", "small", "big", "big", "big"]


async def test_capacity_is_never_exceeded() -> None:
    slots, holding, most = FairSlots(3), 0, 0

    async def hold(campaign: str) -> None:
        nonlocal holding, most
        async with slots.turn(campaign):
            holding += 1
            most = max(most, holding)
            await asyncio.sleep(0.001)
            holding -= 1

    await asyncio.gather(*(hold(f"c{n % 4}") for n in range(40)))
    assert most == 3


async def test_waiter_cancelled_slot_goes_to_the_next() -> None:
    slots = FairSlots(1)
    async with slots.turn("a"):
        first = asyncio.create_task(serve(slots, ["b"]))
        second = asyncio.create_task(serve(slots, ["c"]))
        await asyncio.sleep(0.01)
        first.cancel()
    assert await asyncio.wait_for(second, 1) == ["c"]


async def test_waiter_cancelled_in_the_moment_of_its_turn_slot_is_not_lost() -> None:
    slots = FairSlots(1)
    context = slots.turn("a")
    await context.__aenter__()
    waiting = asyncio.create_task(serve(slots, ["b"]))
    await asyncio.sleep(0.01)
    await context.__aexit__(None, None, None)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await asyncio.wait_for(serve(slots, ["c"]), 1) == ["c"]


def test_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        FairSlots(0)


@given(st.lists(st.sampled_from("abc"), max_size=20), st.integers(1, 3))
def test_everybody_is_served_once(campaigns: list[str], capacity: int) -> None:
    order = asyncio.run(serve(FairSlots(capacity), campaigns))
    assert sorted(order) == sorted(campaigns)
