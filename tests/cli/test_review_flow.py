"""``review: required`` from the command line over gRPC: pause, look, approve or decline."""

import asyncio
import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.conftest import Ended
from tests.suites.small_lab import PanelData, SmallLab, small_lab

from stratlab.api.server import ApiServer
from stratlab.cli.exit_codes import ExitCode
from stratlab.client import Client
from stratlab.domain.flag import Flag
from stratlab.domain.strategy import Author, Finding, ScreeningReport, Severity

Program = Callable[..., Ended]
RUN = ("--data", "small", "--generator", "template", "--market", "AAA", "--max-seconds", "60")


class OddScreener:
    """Warns of every third line, which has no special meaning."""

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        finding = Finding(
            *("convention", "odd", Severity.WARNING, 3, 1, "line 3 looks\x1b[2J odd", "Look at it.")
        )
        return ScreeningReport((finding,))


@contextlib.contextmanager
def serving(home: Path) -> Iterator[SmallLab]:
    """Serve a lab whose every part but market, generator, screener and sandbox is real."""
    started: queue.Queue[SmallLab] = queue.Queue()
    stopping = threading.Event()

    async def main() -> None:
        with small_lab(home, screener=OddScreener()) as lab:
            backend = SimpleNamespace(
                repository=lab.repository,
                artifacts=lab.artifacts,
                market_data=PanelData(),
                screener=OddScreener(),
                manager=lab.manager,
                backtester=None,
                sandbox_ready=Flag(),
            )
            address = f"unix:{home / 'stratlab.sock'}"
            await lab.manager.start()
            async with ApiServer(backend, address=address, drain_seconds=0.2):
                started.put(lab)
                await asyncio.to_thread(stopping.wait)
            await lab.manager.stop()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        yield started.get(timeout=30)
    finally:
        stopping.set()
        thread.join(timeout=30)


@pytest.fixture
def lab(home: Path) -> Iterator[SmallLab]:
    with serving(home) as lab:
        yield lab


def paused(stratlab: Program, *arguments: str) -> tuple[str, Ended]:
    """Run a campaign until it waits for a review; its id and what was printed."""
    ended = stratlab("campaign", "run", *RUN, "--review", "required", *arguments)
    assert ended.code == ExitCode.INTERRUPTED, ended.err
    return json.loads(stratlab("campaign", "list", "--json").out)[0]["name"], ended


def test_run_stops_at_the_review_and_says_what_was_found_and_what_to_do(
    lab: SmallLab, stratlab: Program
) -> None:
    name, ended = paused(stratlab, "--iterations", "2")
    campaign = name.removeprefix("campaigns/")
    assert "State paused (REVIEW), iteration 1" in ended.out
    assert "Findings of screening in iteration 1:" in ended.out
    (row,) = [line for line in ended.out.splitlines() if " odd " in line]
    assert row.split()[:3] == ["3", "warning", "odd"]
    assert f"`stratlab campaign approve {campaign}` runs the candidate" in ended.out
    assert f"`stratlab campaign approve {campaign} --decline` goes on" in ended.out
    assert "stratlab serve" in ended.out
    assert "screening found: warning odd in line 3" in ended.err
    assert "\x1b" not in ended.out + ended.err
    assert lab.sandbox.seen == []


def test_approval_runs_the_candidate_and_the_next_one_waits_again(
    lab: SmallLab, stratlab: Program
) -> None:
    name, _ = paused(stratlab, "--iterations", "2")
    approved = json.loads(stratlab("campaign", "approve", name, "--json").out)
    assert approved["state_reason"] == "REVIEW_APPROVED"
    shown = show_when_waiting(stratlab, name, iteration=2)
    first, second = shown["iterations"]
    assert first["evaluation"]["score"] is not None
    assert [finding["rule"] for finding in second["findings"]] == ["odd"]
    assert second["trials"] == []
    declined = json.loads(stratlab("campaign", "approve", name, "--decline", "--json").out)
    assert declined["state_reason"] == "REVIEW_DECLINED"
    watched = stratlab("campaign", "watch", name, "--json")
    assert watched.code in {ExitCode.OK, ExitCode.STRATEGY}
    record = json.loads(stratlab("campaign", "show", name, "--json").out)
    assert record["state"] == "completed"
    assert record["iterations"][1]["failure"] == "declined in review"
    assert record["spec"]["review"] == "required"


def test_events_carry_rules_and_lines_and_who_decided(lab: SmallLab, stratlab: Program) -> None:
    name, _ = paused(stratlab, "--iterations", "1")
    assert stratlab("campaign", "approve", name).code == ExitCode.OK
    lines = stratlab("campaign", "watch", name, "--json").out.splitlines()
    events = [json.loads(line)["event"] for line in lines if "event" in json.loads(line)]
    (screened,) = [event for event in events if event["kind"] == "candidate_screened"]
    assert screened["payload"]["findings"] == [
        {"layer": "convention", "rule": "odd", "severity": "warning", "line": 3}
    ]
    reasons = [event["payload"].get("reason") for event in events]
    assert reasons.index("REVIEW") < reasons.index("REVIEW_APPROVED")
    decided = next(e for e in events if e["payload"].get("reason") == "REVIEW_APPROVED")
    assert decided["payload"]["actor"] == "owner"


def test_watch_tells_of_the_review_while_it_waits(
    lab: SmallLab, home: Path, stratlab: Program
) -> None:
    name, _ = paused(stratlab, "--iterations", "1")
    # By another client than the program's, whose output is captured.
    timer = threading.Timer(1.0, approve, args=(home, name))
    timer.start()
    ended = stratlab("campaign", "watch", name)
    timer.join()
    assert "  warning odd: line 3: line 3 looks" in ended.err
    assert f"`stratlab campaign approve {name.removeprefix('campaigns/')}`" in ended.err
    assert "state completed" in ended.err


def test_wrong_decisions_are_refused_in_words(lab: SmallLab, stratlab: Program) -> None:
    name, _ = paused(stratlab, "--iterations", "1")
    resumed = stratlab("campaign", "resume", name)
    assert resumed.code == ExitCode.USAGE
    assert "stratlab campaign approve" in resumed.err
    assert stratlab("campaign", "cancel", name).code == ExitCode.OK
    assert stratlab("campaign", "approve", name).code == ExitCode.USAGE


def test_review_is_off_by_default_and_takes_no_other_word(lab: SmallLab, stratlab: Program) -> None:
    ended = stratlab("campaign", "run", *RUN, "--iterations", "1")
    assert ended.code in {ExitCode.OK, ExitCode.STRATEGY}
    assert "Findings of screening" in ended.out
    wrong = stratlab("campaign", "run", *RUN, "--review", "maybe")
    assert wrong.code == ExitCode.USAGE
    assert "review" in wrong.err


def test_review_outlives_the_server(home: Path, stratlab: Program) -> None:
    with serving(home):
        name, _ = paused(stratlab, "--iterations", "1")
    read = stratlab("campaign", "show", name)
    assert "Findings of screening in iteration 1:" in read.out
    assert "stratlab serve" in read.out
    assert stratlab("campaign", "approve", name).code == ExitCode.INFRASTRUCTURE
    with serving(home):
        assert stratlab("campaign", "approve", name).code == ExitCode.OK
        stratlab("campaign", "watch", name, "--json")
        assert json.loads(stratlab("campaign", "show", name, "--json").out)["state"] == "completed"


def show_when_waiting(stratlab: Program, name: str, iteration: int) -> dict:
    for _ in range(200):
        record = json.loads(stratlab("campaign", "show", name, "--json").out)
        if record["state"] == "paused" and record["iteration"] == iteration:
            return record
        threading.Event().wait(0.05)
    raise AssertionError("it never waited")


def approve(home: Path, name: str) -> None:
    with Client(f"unix:{home / 'stratlab.sock'}") as client:
        client.approve_campaign(name)
