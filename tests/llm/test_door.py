"""Every way in which an endpoint fails is answered by the door, and paid for truthfully."""

import socket
import threading
import time
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict
from structlog.testing import capture_logs
from tests.llm.door_setup import MODEL, a_call, open_door
from tests.llm.server import KEY, TRANSIENT, Fault, messages_server

from stratlab.domain.errors import (
    BudgetExhaustedError,
    ModelFailedError,
    ModelUnavailableError,
    ServerStoppingError,
)
from stratlab.domain.recordings import RecordingKind
from stratlab.domain.spending import Bounds
from stratlab.llm import RetryPolicy

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Greeting(BaseModel):
    model_config = ConfigDict(extra="forbid")

    words: str


def first(fault: Fault, times: int = 1):
    return lambda seen: fault if seen.earlier < times else None


@STREAMED
def test_answer_arrives_is_paid_for_and_recorded(tmp_path: Path, streamed: bool) -> None:
    with messages_server() as server, open_door(tmp_path, server, streamed=streamed) as door:
        answer = door.models.ask(a_call())
        spent = door.ledger.spent("c1")
        (recording,) = door.repository.cassettes().all("c1")
    assert (answer.text, answer.stop_reason, answer.is_complete) == ("hello", "end_turn", True)
    assert answer.usage.cache_write > 0
    assert spent.micro_usd == server.micro_usd > 0
    assert spent.tokens == answer.usage.total
    assert recording.text == "hello"
    assert recording.kind is RecordingKind.ANSWER


@STREAMED
@pytest.mark.parametrize("fault", TRANSIENT)
def test_fault_that_passes_is_tried_again(tmp_path: Path, fault: Fault, streamed: bool) -> None:
    with (
        messages_server(faults=first(fault)) as server,
        open_door(tmp_path, server, streamed=streamed) as door,
    ):
        assert door.models.ask(a_call()).text == "hello"
        spent = door.ledger.spent("c1")
    assert len(server.seen) == 2
    assert spent.micro_usd >= server.micro_usd


def test_stream_that_is_cut_is_no_answer_and_tried_again(tmp_path: Path) -> None:
    with (
        messages_server(author=lambda seen: "x" * 400, faults=first(Fault.CUT_STREAM)) as server,
        open_door(tmp_path, server, streamed=True) as door,
    ):
        assert door.models.ask(a_call()).text == "x" * 400
        assert door.ledger.spent("c1").micro_usd >= server.micro_usd
    assert len(server.seen) == 2


def test_silence_ends_at_our_deadline_and_stays_charged(tmp_path: Path) -> None:
    with (
        messages_server(faults=first(Fault.SILENCE), silence_seconds=20) as server,
        open_door(tmp_path, server, seconds=3.0) as door,
    ):
        assert door.models.ask(a_call()).text == "hello"
        assert door.ledger.spent("c1").micro_usd > server.micro_usd
    assert len(server.seen) == 2


@pytest.mark.parametrize("fault", TRANSIENT)
def test_fault_that_stays_fails_after_three_tries_and_is_recorded(
    tmp_path: Path, fault: Fault
) -> None:
    with messages_server(faults=first(fault, 9)) as server, open_door(tmp_path, server) as door:
        with pytest.raises(ModelFailedError) as caught:
            door.models.ask(a_call())
        assert len(server.seen) == 3
        assert door.ledger.spent("c1").micro_usd >= server.micro_usd
        # A step that is repeated after a crash goes the same way.
        with pytest.raises(ModelFailedError) as again:
            door.models.ask(a_call())
        assert len(server.seen) == 3
    assert caught.value.data["cause"] == again.value.data["cause"]
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.OVERLOADED])
def test_retry_after_is_obeyed(tmp_path: Path, fault: Fault) -> None:
    with (
        messages_server(faults=first(fault), retry_after="1") as server,
        open_door(tmp_path, server) as door,
    ):
        started = time.monotonic()
        assert door.models.ask(a_call()).text == "hello"
    assert time.monotonic() - started >= 1.0


def test_retry_after_beyond_our_deadline_is_not_waited_for(tmp_path: Path) -> None:
    with (
        messages_server(faults=first(Fault.RATE_LIMITED), retry_after="3600") as server,
        open_door(tmp_path, server) as door,
    ):
        started = time.monotonic()
        with pytest.raises(ModelFailedError):
            door.models.ask(a_call())
    assert time.monotonic() - started < 100
    assert len(server.seen) == 1


def test_nobody_who_listens_is_unreachable_and_costs_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with open_door(tmp_path, f"http://127.0.0.1:{port}") as door:
        with pytest.raises(ModelFailedError) as caught:
            door.models.ask(a_call())
        assert caught.value.data["cause"] == "UNREACHABLE"
        assert door.ledger.spent("c1").micro_usd == 0


@pytest.mark.parametrize(
    ("fault", "stop_reason"), [(Fault.REFUSAL, "refusal"), (Fault.MAX_TOKENS, "max_tokens")]
)
@STREAMED
def test_answer_that_is_not_complete_says_so_and_is_settled(
    tmp_path: Path, fault: Fault, stop_reason: str, streamed: bool
) -> None:
    with (
        messages_server(faults=first(fault)) as server,
        open_door(tmp_path, server, streamed=streamed) as door,
    ):
        answer = door.models.ask(a_call(answer=Greeting))
        assert (answer.stop_reason, answer.is_complete) == (stop_reason, False)
        assert door.ledger.spent("c1").micro_usd == server.micro_usd
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", [Fault.SPENDING_LIMIT, Fault.UNAUTHORISED])
def test_account_that_needs_somebody_is_not_tried_again_nor_recorded(
    tmp_path: Path, fault: Fault
) -> None:
    with messages_server(faults=first(fault)) as server, open_door(tmp_path, server) as door:
        with pytest.raises(ModelUnavailableError) as caught:
            door.models.ask(a_call())
        assert len(server.seen) == 1
        assert KEY not in str(caught.value)
        assert door.repository.cassettes().all("c1") == []
        # Once it is mended, the same call goes through.
        assert door.models.ask(a_call()).text == "hello"


def test_request_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    with (
        messages_server(faults=first(Fault.BAD_REQUEST)) as server,
        open_door(tmp_path, server) as door,
        pytest.raises(ModelFailedError),
    ):
        door.models.ask(a_call())
    assert len(server.seen) == 1


def test_missing_key_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)  # not ours to use
    with messages_server() as server, open_door(tmp_path, server, key="") as door:
        with pytest.raises(ModelUnavailableError, match="no key"):
            door.models.ask(a_call())
        assert door.ledger.spent("c1").micro_usd == 0
    assert server.seen == []


def test_endpoint_that_needs_no_key_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)  # not ours to send
    with (
        messages_server(key="") as server,
        open_door(tmp_path, server, key="", needs_key=False) as door,
    ):
        assert door.models.ask(a_call()).text == "hello"


def test_structured_answer_carries_the_schema_of_our_model(tmp_path: Path) -> None:
    with messages_server() as server, open_door(tmp_path, server) as door:
        door.models.ask(a_call(answer=Greeting))
    schema = server.seen[0].body["output_config"]["format"]["schema"]
    assert schema["properties"]["words"]["type"] == "string"


def test_endpoint_without_schemas_gets_it_as_text(tmp_path: Path) -> None:
    with messages_server() as server, open_door(tmp_path, server, structured=False) as door:
        door.models.ask(a_call(answer=Greeting))
    assert "output_config" not in server.seen[0].body
    assert '"words"' in server.seen[0].text


def test_stable_part_is_marked_for_the_cache(tmp_path: Path) -> None:
    with messages_server() as server, open_door(tmp_path, server) as door:
        door.models.ask(a_call())
        again = door.models.ask(a_call("And now?", place="0002/brief"))
        assert door.ledger.spent("c1").micro_usd == server.micro_usd
    assert server.seen[0].body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert again.usage.cache_read > 0 == again.usage.cache_write


def test_same_prompt_asked_twice_is_two_samples(tmp_path: Path) -> None:
    texts = iter(["one", "two", "three"])
    with (
        messages_server(author=lambda seen: next(texts)) as server,
        open_door(tmp_path, server) as door,
    ):
        samples = [
            door.models.ask(a_call(place=f"{n:04d}/brief", sample=n)).text for n in (1, 2, 1)
        ]
    assert samples == ["one", "two", "one"]
    assert len(server.seen) == 2


def test_replay_answers_from_the_cassette_alone(tmp_path: Path) -> None:
    with (
        messages_server(faults=first(Fault.BAD_REQUEST, 0)) as server,
        open_door(tmp_path, server) as door,
    ):
        asked = door.models.ask(a_call())
        replayed = door.models.ask(a_call(campaign="c2", replay_of="c1"))
        assert replayed.text == asked.text
        assert replayed.is_recorded
        assert len(server.seen) == 1
        assert door.ledger.spent("c2").calls == 0
        with pytest.raises(ModelFailedError, match="cassette of campaign c1") as caught:
            door.models.ask(a_call("Something else.", campaign="c2", replay_of="c1"))
    assert caught.value.data["cause"] == "NOT_RECORDED"
    assert len(server.seen) == 1


def test_model_without_a_price_is_refused_under_a_cost_bound(tmp_path: Path) -> None:
    with messages_server() as server, open_door(tmp_path, server) as door:
        with pytest.raises(ModelUnavailableError, match="price of claude-unknown"):
            door.models.ask(a_call(model="claude-unknown", bounds=Bounds(micro_usd=10**9)))
        assert server.seen == []
        assert door.models.ask(a_call(model="claude-unknown")).text == "hello"


def test_campaign_keeps_the_prices_of_its_first_call(tmp_path: Path) -> None:
    with messages_server() as server:
        with open_door(tmp_path, server) as door:
            door.models.ask(a_call())
        with open_door(tmp_path, server, prices={}) as later:
            later.models.ask(a_call("Again.", place="0002/brief"))
            assert later.ledger.spent("c1").micro_usd == server.micro_usd


def test_hard_stop_is_never_passed_and_warned_of_before(tmp_path: Path) -> None:
    bound = Bounds(micro_usd=3_000)
    calls = [
        a_call(f"Say hello {n}.", place=f"{n:04d}/brief", bounds=bound, max_tokens=100)
        for n in range(100)
    ]
    with messages_server() as server, open_door(tmp_path, server) as door:
        with pytest.raises(BudgetExhaustedError):
            list(map(door.models.ask, calls))
        spent = door.ledger.spent("c1")
    assert len(server.seen) > 2
    assert server.micro_usd == spent.micro_usd <= 3_000 < spent.wanted_micro_usd
    assert {warning.percent for warning in door.warnings} == {50, 80}


def test_tokens_are_bounded_like_money(tmp_path: Path) -> None:
    call = a_call(bounds=Bounds(tokens=400))
    with (
        messages_server() as server,
        open_door(tmp_path, server) as door,
        pytest.raises(BudgetExhaustedError),
    ):
        door.models.ask(call)
    assert server.seen == []


def test_no_secret_is_kept_logged_or_handed_on(tmp_path: Path) -> None:
    def leak(seen):
        return f"your key is {KEY}"

    with (
        messages_server(author=leak, faults=first(Fault.UNAUTHORISED)) as server,
        capture_logs() as logs,
        open_door(tmp_path, server) as door,
    ):
        with pytest.raises(ModelUnavailableError) as caught:
            door.models.ask(a_call(f"My key is {KEY}."))
        answer = door.models.ask(a_call(f"My key is {KEY}."))
        shown = repr(door.models) + repr(door.ledger)
    assert answer.text == "your key is [redacted]"
    assert KEY not in repr(logs) + str(caught.value) + repr(caught.value) + shown
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert MODEL.encode() in written
    assert KEY.encode() not in written


def test_deadline_counts_from_the_first_try(tmp_path: Path) -> None:
    policy = RetryPolicy(attempts=10, deadline_seconds=0.5, first_pause_seconds=0.2)
    with (
        messages_server(faults=first(Fault.OVERLOADED, 99)) as server,
        open_door(tmp_path, server, policy=policy) as door,
        pytest.raises(ModelFailedError),
    ):
        door.models.ask(a_call())
    assert 1 <= len(server.seen) < 10


def test_call_under_way_ends_with_the_door_and_stays_charged(tmp_path: Path) -> None:
    silent = {"faults": first(Fault.SILENCE, 9), "silence_seconds": 60.0}
    failures: list[Exception] = []
    with messages_server(**silent) as server:
        with open_door(tmp_path, server) as door:
            models = door.models

            def ask() -> None:
                try:
                    models.ask(a_call())
                except ServerStoppingError as error:
                    failures.append(error)

            thread = threading.Thread(target=ask)
            thread.start()
            while not server.micro_usd:
                time.sleep(0.02)
        thread.join(60)
        assert len(failures) == 1
        with pytest.raises(ServerStoppingError):
            models.ask(a_call())
        with open_door(tmp_path, server) as later:
            assert later.ledger.spent("c1").micro_usd >= server.micro_usd > 0
