"""Every public call is on the engine's list, and the list tells the truth."""

import os
from pathlib import Path

import zipline.api
from actions import CALLS, LOOKS, MINUTE_LOOKS, ORDERS
from zipline._protocol import BarData

from stratlab_runner.fast.bar_data import FastBarData
from stratlab_runner.fast.surface import Answer, calls, table
from stratlab_runner.simulation import TrialAlgorithm

PAGE = Path(os.environ.get("STRATLAB_PAGE", "/engine.md"))
ORDERING = {name for name in zipline.api.__all__ if "order" in name} - {
    "set_do_not_order_list", "set_max_order_count", "set_max_order_size",
}  # fmt: skip


def test_every_public_name_is_listed_once() -> None:
    listed = [(call.owner, call.name) for call in calls()]
    assert len(listed) == len(set(listed))
    public = {name for name in dir(BarData) if not name.startswith("_")}
    assert {name for owner, name in listed if owner == "data"} == public
    assert {name for owner, name in listed if owner == "zipline.api"} == set(zipline.api.__all__)


def test_page_shows_the_list() -> None:
    assert table() in PAGE.read_text("utf-8")


def test_calls_of_data_answered_from_arrays_are_exactly_those_that_we_override() -> None:
    fast = {call.name for call in calls() if call.owner == "data" and call.answer is Answer.FAST}
    assert fast == {name for name in vars(FastBarData) if not name.startswith("_")}


def test_refused_calls_are_those_that_a_trial_refuses() -> None:
    refused = {call.name for call in calls() if call.answer is Answer.REFUSED}
    assert refused <= {name for name in vars(TrialAlgorithm) if not name.startswith("_")}


def test_random_scripts_make_every_ordering_call() -> None:
    assert ORDERING - {"get_order", "get_open_orders"} <= set(ORDERS)
    assert {"get_order", "get_open_orders"} <= set(LOOKS)


def test_random_scripts_make_every_call_that_arrays_answer() -> None:
    fast = {call.name for call in calls() if call.answer is Answer.FAST}
    assert fast <= set(CALLS)
    assert set(MINUTE_LOOKS)
