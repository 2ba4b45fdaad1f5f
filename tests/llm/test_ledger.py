"""The ledger never grants money twice and never says less than was charged."""

import itertools
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.llm.door_setup import a_call, open_door
from tests.llm.server import Fault, messages_server
from tests.suites.samples import a_campaign

from stratlab.domain.errors import BudgetExhaustedError, NotFoundError, WrongStateError
from stratlab.domain.spending import Attempt, Bounds, ModelPrice, TokenUsage
from stratlab.store import open_repository

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FREE = Bounds()


@pytest.fixture
def ledger(tmp_path: Path):
    with closing(open_repository(f"sqlite:///{tmp_path / 'stratlab.db'}")) as repository:
        repository.create_campaign(a_campaign("c1"), "")
        yield repository.ledger()


def attempt(number: int = 1, call: str = "0001/brief") -> Attempt:
    return Attempt("c1", call, number)


def test_reserving_twice_sets_aside_once(ledger) -> None:
    for _ in range(2):
        spent = ledger.reserve(attempt(), "m", 70, 7, Bounds(100), NOW)
    assert (spent.micro_usd, spent.tokens, spent.calls) == (70, 7, 1)
    assert ledger.last_attempt("c1", "0001/brief") == 1
    assert ledger.last_attempt("c1", "0002/brief") == 0


def test_settling_twice_charges_once(ledger) -> None:
    ledger.reserve(attempt(), "m", 70, 7, FREE, NOW)
    for cost in (30, 99):
        spent = ledger.settle(attempt(), cost, TokenUsage(input=2, output=1))
    assert (spent.micro_usd, spent.tokens) == (30, 3)


def test_releasing_gives_back_and_nothing_else_follows(ledger) -> None:
    ledger.reserve(attempt(), "m", 70, 7, FREE, NOW)
    for _ in range(2):
        assert ledger.release(attempt()).micro_usd == 0
    with pytest.raises(WrongStateError):
        ledger.settle(attempt(), 1, TokenUsage())


def test_settled_call_cannot_be_released(ledger) -> None:
    ledger.reserve(attempt(), "m", 70, 7, FREE, NOW)
    ledger.settle(attempt(), 70, TokenUsage())
    with pytest.raises(WrongStateError):
        ledger.release(attempt())


def test_nothing_is_settled_that_was_not_reserved(ledger) -> None:
    with pytest.raises(WrongStateError):
        ledger.settle(attempt(), 1, TokenUsage())
    with pytest.raises(NotFoundError):
        ledger.reserve(Attempt("none", "0001/brief", 1), "m", 1, 1, FREE, NOW)


def test_refusal_is_remembered_as_what_was_wanted(ledger) -> None:
    ledger.reserve(attempt(1), "m", 70, 7, Bounds(100), NOW)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError):
            ledger.reserve(attempt(2), "m", 31, 7, Bounds(100), NOW)
    spent = ledger.spent("c1")
    assert (spent.micro_usd, spent.wanted_micro_usd, spent.calls) == (70, 101, 1)


def test_bound_holds_for_calls_at_the_same_time(ledger) -> None:
    def take(number: int) -> bool:
        try:
            ledger.reserve(attempt(1, f"{number:04d}/x"), "m", 30, 1, Bounds(100), NOW)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(take, range(24)))
    assert granted == 3
    assert ledger.spent("c1").micro_usd == 90


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["reserve", "settle", "release"])), max_size=12
)


CAMPAIGNS = itertools.count(1)


@pytest.fixture(scope="module")
def shared_repository(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("ledger") / "stratlab.db"
    with closing(open_repository(f"sqlite:///{path}")) as repository:
        yield repository


@given(steps=STEPS)
def test_account_follows_its_rules_in_any_order_of_steps(shared_repository, steps) -> None:
    campaign = f"c{next(CAMPAIGNS)}"
    shared_repository.create_campaign(a_campaign(campaign), "")
    ledger = shared_repository.ledger()
    states: dict[int, str] = {}
    for number, step in steps:
        one = Attempt(campaign, "0001/brief", number)
        acts = {
            "reserve": partial(ledger.reserve, one, "m", 10, 1, FREE, NOW),
            "settle": partial(ledger.settle, one, 4, TokenUsage(input=1)),
            "release": partial(ledger.release, one),
        }
        state = states.get(number, "none")
        if step == "reserve" or state in {"reserve", step}:
            acts[step]()
            states[number] = state if step == "reserve" and state != "none" else step
        else:
            with pytest.raises(WrongStateError):
                acts[step]()
    charges = {"reserve": 10, "settle": 4, "release": 0}
    assert ledger.spent(campaign).micro_usd == sum(charges[state] for state in states.values())


@given(
    request=st.binary(max_size=60),
    output=st.integers(0, 50),
    prices=st.tuples(*[st.integers(0, 10**8)] * 4),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_bound_is_never_below_what_any_usage_of_the_request_costs(
    request: bytes, output: int, prices, cut
) -> None:
    price = ModelPrice(*prices)
    low, high = sorted(min(place, len(request)) for place in cut)
    usage = TokenUsage(low, output, high - low, len(request) - high)
    assert price.cost(usage) <= price.bound(len(request), output)


def test_call_killed_before_it_settled_stays_charged_and_is_made_again(tmp_path: Path) -> None:
    silent = {"faults": lambda seen: Fault.SILENCE if seen.earlier == 0 else None}
    with messages_server(**silent, silence_seconds=30.0) as server:
        with open_door(tmp_path, server):
            pass
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.llm.asker", str(tmp_path), server.url], cwd=ROOT
        )
        wait_until(lambda: server.micro_usd > 0)
        process.kill()
        process.wait()
        with open_door(tmp_path, server) as door:
            killed = door.ledger.spent("c1")
            assert killed.micro_usd >= server.micro_usd
            assert door.models.ask(a_call()).text == "hello"
            spent = door.ledger.spent("c1")
            (recording,) = door.repository.cassettes().all("c1")
    assert server.seen[0].raw == server.seen[1].raw  # the same sample
    assert recording.key.sample == 1
    assert spent.calls == 2
    assert spent.micro_usd >= server.micro_usd > killed.micro_usd - spent.micro_usd


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        pause.wait(0.02)
