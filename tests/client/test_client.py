"""The client against a real server: typed errors, retries, deadlines, paging, watching."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.fake_lab import ServedLab, serve_in_thread
from tests.api.samples import campaign_of

from stratlab.client import Client
from stratlab.client.errors import error_classes
from stratlab.domain.campaign import CampaignState
from stratlab.domain.errors import (
    IntegrityError,
    InvalidSpecError,
    LimitExceededError,
    NotFoundError,
    ServerUnreachableError,
    StratlabError,
    UnavailableError,
    WrongStateError,
)
from stratlab_proto.v1 import backtest_service_pb2, campaign_service_pb2

SOURCE = "def initialize(context):\n    pass\n"
CLASSES = sorted(error_classes().values(), key=lambda kind: kind.reason)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedLab]:
    (tmp_path / "home").mkdir(mode=0o700)
    with serve_in_thread(tmp_path / "home") as served:
        yield served


@pytest.fixture
def client(served: ServedLab) -> Iterator[Client]:
    with Client(served.address, timeout=5) as client:
        yield client


def add_campaigns(served: ServedLab, count: int) -> None:
    for number in range(1, count + 1):
        served.lab.repository.create_campaign(campaign_of(number), f"r{number}")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.reason)
def test_error_of_the_server_is_raised_again(
    served: ServedLab, client: Client, kind: type[StratlabError]
) -> None:
    served.lab.manager.raises = kind("It broke.", hint="Mend it.", field="capital")
    with pytest.raises(StratlabError) as caught:
        client.create_campaign(campaign_service_pb2.CampaignSpec())
    assert type(caught.value) is kind
    assert caught.value.message == "It broke."
    assert caught.value.hint == "Mend it."
    assert caught.value.data == {"field": "capital"}
    assert caught.value.__cause__ is None


def test_nobody_listens_is_unreachable_and_says_what_to_do(tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/none.sock") as client:
        assert not client.is_serving()
        with pytest.raises(ServerUnreachableError, match="stratlab serve"):
            client.get_campaign("c0001")


def test_repeatable_call_survives_a_server_that_comes_late(tmp_path: Path) -> None:
    started = threading.Event()

    def serve_late() -> None:
        time.sleep(0.2)
        with serve_in_thread(tmp_path) as served:
            add_campaigns(served, 1)
            started.wait(10)

    server = threading.Thread(target=serve_late)
    server.start()
    try:
        with Client(f"unix:{tmp_path}/stratlab.sock", timeout=5) as client:
            for _ in range(3):  # each one tries for 1.3 s
                try:
                    assert [c.name for c in client.list_campaigns()] == ["campaigns/c0001"]
                    break
                except ServerUnreachableError:
                    continue
            else:
                pytest.fail("the client never reached the server")
    finally:
        started.set()
        server.join()


def test_repeated_create_is_one_campaign(served: ServedLab, client: Client) -> None:
    spec = campaign_service_pb2.CampaignSpec(display_name="once")
    first = client.create_campaign(spec, request_id="same")
    second = client.create_campaign(spec, request_id="same")
    third = client.create_campaign(spec)
    assert first.name == second.name
    assert third.name != first.name


def test_silent_server_ends_in_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with Client(f"unix:{tmp_path}/s", timeout=0.3) as client:
            begin = time.monotonic()
            with pytest.raises(UnavailableError):
                client.pause_campaign("c0001")
            assert time.monotonic() - begin < 30


def test_lists_are_followed_over_all_pages(served: ServedLab, client: Client) -> None:
    add_campaigns(served, 5)
    for number in range(5):
        served.lab.artifacts.put("c0001", f"iterations/iter_{number}.json", "text/plain", b"{}")
    campaigns = [campaign.name for campaign in client.list_campaigns(page_size=2)]
    assert campaigns == [f"campaigns/c{number:04d}" for number in range(5, 0, -1)]
    artifacts = [artifact.name for artifact in client.list_artifacts("c0001", page_size=2)]
    assert len(artifacts) == len(set(artifacts)) == 5
    assert [data_set.name for data_set in client.list_datasets(page_size=1)] == [
        "datasets/synthetic",
        "datasets/us-daily",
    ]


def test_campaign_is_named_by_id_or_resource_name(served: ServedLab, client: Client) -> None:
    add_campaigns(served, 1)
    assert client.get_campaign("c0001") == client.get_campaign("campaigns/c0001")
    with pytest.raises(NotFoundError):
        client.get_campaign("nobody")


def test_steering_moves_the_state(served: ServedLab, client: Client) -> None:
    add_campaigns(served, 1)
    client.pause_campaign("c0001")
    client.resume_campaign("c0001")
    client.cancel_campaign("c0001")
    with pytest.raises(WrongStateError):
        client.resume_campaign("c0001")


def test_watch_yields_every_event_once_and_ends(served: ServedLab, client: Client) -> None:
    add_campaigns(served, 1)
    numbers = []
    for item in client.watch_campaign("c0001", include_progress=True):
        numbers.append(item.event.number)
        if len(numbers) == 1:
            served.call(served.lab.manager.append, "c0001", 3)
        if len(numbers) == 4:
            served.call(served.lab.manager.move, "c0001", CampaignState.CANCELLED)
    assert numbers == [1, 2, 3, 4, 5]


def test_watch_survives_a_restart_without_gap_or_duplicate(tmp_path: Path) -> None:
    numbers: list[int] = []
    with serve_in_thread(tmp_path) as first:
        add_campaigns(first, 1)
        with Client(first.address) as client:
            watch = client.watch_campaign("c0001")
            numbers.append(next(watch).event.number)
            first.call(first.lab.manager.append, "c0001", 2)
            numbers += [next(watch).event.number, next(watch).event.number]
            reader = threading.Thread(
                target=lambda: numbers.extend(item.event.number for item in watch)
            )
            reader.start()
            first.close()
            with serve_in_thread(tmp_path) as second:
                second.call(second.lab.manager.append, "c0001", 2)
                second.call(second.lab.manager.move, "c0001", CampaignState.CANCELLED)
                reader.join(timeout=20)
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_download_gives_the_bytes_or_an_integrity_error(
    served: ServedLab, client: Client, tmp_path: Path
) -> None:
    add_campaigns(served, 1)
    artifact = served.lab.artifacts.put("c0001", "report.md", "text/markdown", b"# Report\n")
    name = "campaigns/c0001/artifacts/report.md"
    assert b"".join(client.download_artifact(name)) == b"# Report\n"
    blob = tmp_path / "home" / "blobs" / artifact.digest[:2] / artifact.digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"# Forged\n")
    with pytest.raises(IntegrityError):
        b"".join(client.download_artifact(name))


def test_backtest_left_early_is_cancelled(served: ServedLab, client: Client) -> None:
    served.lab.backtester.hangs = True
    items = client.run_backtest(backtest_service_pb2.RunBacktestRequest(source=SOURCE))
    assert next(items).HasField("progress")
    items.close()
    deadline = time.monotonic() + 5
    while not served.lab.backtester.cancelled.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert served.lab.backtester.cancelled.is_set()


def test_bad_and_oversized_requests_are_typed(client: Client) -> None:
    with pytest.raises(InvalidSpecError, match="capital"):
        client.create_campaign(campaign_service_pb2.CampaignSpec(capital=-1))
    with pytest.raises(LimitExceededError):
        client.validate_strategy("#" * 2_000_000)
    assert client.validate_strategy(SOURCE).passed


def test_sandbox_is_ready_when_the_server_says_so(served: ServedLab, client: Client) -> None:
    assert client.is_serving()
    assert not client.is_sandbox_ready()
    served.call(served.lab.sandbox_ready.set)
    deadline = time.monotonic() + 5
    while not client.is_sandbox_ready() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.is_sandbox_ready()
