"""What is done to the controller itself: hostile requests, vanishing callers, bursts, kill -9."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from stratlab.abuse.bench import SLACK_SECONDS, Bench, CaseReport
from stratlab.abuse.case import LIMITS, script
from stratlab.domain.errors import StratlabError
from stratlab.sandbox.identity import installation_id
from stratlab_proto.v1 import common_pb2

CANCEL_SECONDS: Final = 0.5
"""How long a container may live after its caller has gone away."""

_FULL_BURST: Final = 50
_CI_BURST: Final = 4
_START_SECONDS: Final = 120.0
_ORPHAN_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.01
_SLEEPS: Final = script(
    "def handle_data(context, data):\n    print('x' * 1000)\n    time.sleep(0.05)\n"
)
_PEEKS: Final = """
import numpy as np
from zipline.api import order_target, symbol

CLOSES = np.load("/data/days/close.npy")


def initialize(context):
    pass


def handle_data(context, data):
    asset = symbol(context.symbols[0])
    rows, columns = np.where(CLOSES == data.current(asset, "close"))
    coming = CLOSES[min(rows[0] + 1, len(CLOSES) - 1), columns[0]] if len(rows) else 0.0
    order_target(asset, 100 if coming > data.current(asset, "close") else 0)
"""
_PLAIN: Final = "def initialize(context):\n    pass\n"


@final
@dataclass(frozen=True, slots=True)
class Drill:
    """One thing that is done to the controller.

    Attributes:
        name, group, defence: As of a case.
        steps: Does it; yields what was not as it should be. The flag asks for full size.
        ci: Whether it is in the small selection that CI runs under gVisor too.
    """

    name: str
    group: str
    steps: Callable[[Bench, bool], Iterator[str]]
    defence: str
    ci: bool = False

    def run(self, bench: Bench, *, full: bool) -> CaseReport:
        """Do it, with controller and host watched, and judge it."""
        complaints: list[str] = []
        began = time.monotonic()
        with bench.watched(complaints):
            try:
                complaints += list(self.steps(bench, full))
            except StratlabError as error:
                complaints.append(f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - began
        return CaseReport(
            self.name,
            self.group,
            bench.runtime,
            "",
            seconds,
            tuple(complaints),
            defence=self.defence,
        )


def _hostile_sources(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    del full
    # The text of each, and whether it is run: the others are refused with a typed error.
    sources = {
        "NUL": (_PLAIN + "\0", False),
        "ten megabytes": (_PLAIN + "#" * 10_000_000, False),
        "byte order mark": ("\ufeff" + _PLAIN, True),
        "coding cookie": ("# -*- coding: utf-7 -*-\n" + _PLAIN, True),
        "nested brackets": (_PLAIN + "x = " + "(" * 50_000 + ")" * 50_000, True),
        "nested operators": (_PLAIN + "x = " + "-" * 100_000 + "1", True),
        "nested calls": (_PLAIN + "x = " + "f(" * 5_000 + ")" * 5_000, True),
    }
    for name, (source, is_run) in sources.items():
        try:
            bench.client.validate_strategy(source)
        except StratlabError as error:
            if is_run:
                yield f"{name}: screening ended with {type(error).__name__}: {error.message[:80]}"
        if is_run:
            trial = bench.backtest(source, dict(LIMITS))
            outcome = common_pb2.Outcome.Name(trial.outcome).removeprefix("OUTCOME_")
            if outcome not in {"SUCCEEDED", "STRATEGY_ERROR", "OUT_OF_MEMORY", "SIGNAL"}:
                yield f"{name}: {outcome}"
            continue
        try:
            bench.backtest(source, dict(LIMITS))
        except StratlabError:
            continue
        yield f"{name}: was run"


def _hostile_names(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    del full
    for name in ("../../etc", "us-daily/../..", "-v/:/host", "a\nb=c", "x" * 5000, "\u202e"):
        for field in ("data_set", "runtime", "symbols"):
            request = bench.request(_PLAIN, dict(LIMITS))
            if field == "symbols":
                request.symbols[:] = [name]
            else:
                setattr(request, field, name)
            try:
                for _ in bench.client.run_backtest(request):
                    pass
            except StratlabError:
                continue
            yield f"{field} {name[:20]!r} was accepted"


def _cancel(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    del full
    request = bench.request(_SLEEPS, dict(LIMITS) | {"wall_seconds": 60})
    with closing(bench.client.run_backtest(request)) as stream:
        next(stream)
        running = bench.running()
        began = time.monotonic()
    while bench.running() and time.monotonic() - began < 10 * CANCEL_SECONDS:
        time.sleep(_POLL_SECONDS)
    if not running:
        yield "nothing ran when it was cancelled"
    if (took := time.monotonic() - began) > CANCEL_SECONDS:
        yield f"dead only after {took:.2f} s"


def _reader_stalls(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    wall_seconds = 30 if full else 4
    limits = dict(LIMITS) | {"wall_seconds": wall_seconds, "cpu_seconds": 60, "output_mib": 64}
    source = script(
        "bars = 0\n"
        "def handle_data(context, data):\n"
        "    global bars\n"
        "    bars += 1\n"
        # The first bar is told, so that the caller knows when to stop reading.
        "    while bars > 2: os.write(1, b'x' * 1000); time.sleep(0.001)\n"
    )
    with closing(bench.client.run_backtest(bench.request(source, limits))) as stream:
        next(stream)
        began = time.monotonic()
        deadline = began + wall_seconds + SLACK_SECONDS
        # Nothing is read any more: neither limits nor deadlines depend on that.
        while bench.running():
            if time.monotonic() > deadline:
                yield "still runs after its deadline"
                return
            time.sleep(_POLL_SECONDS)
        if time.monotonic() - began < wall_seconds / 2:
            yield "ended too early to tell anything"


def _burst(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    size = _FULL_BURST if full else _CI_BURST

    def one(_: int) -> str:
        try:
            trial = bench.backtest(_PLAIN, dict(LIMITS) | {"wall_seconds": 60, "cpu_seconds": 30})
        except StratlabError as error:
            return error.reason
        return common_pb2.Outcome.Name(trial.outcome).removeprefix("OUTCOME_")

    with ThreadPoolExecutor(size) as pool:
        outcomes = list(pool.map(one, range(size)))
    # Either it waits for its turn, or it is told that there are too many.
    if wrong := set(outcomes) - {"SUCCEEDED", "TOO_MANY_REQUESTS", "LIMIT_EXCEEDED"}:
        yield f"{', '.join(sorted(wrong))} among {size}"
    if "SUCCEEDED" not in outcomes:
        yield "none succeeded"


def _controller_killed(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    home = bench.home / "killed"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    shutil.copytree(bench.home / "data", home / "data", copy_function=os.link)
    strategy = home / "strategy.py"
    strategy.write_text(_SLEEPS.replace("0.05", "60"), "utf-8")
    installation = installation_id(home)
    for _ in range(3 if full else 1):
        with subprocess.Popen(  # noqa: S603 - this program itself
            bench.command(home, "backtest", str(strategy), "--skip-screening"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as controller:
            deadline = time.monotonic() + _START_SECONDS
            while not bench.running(installation, trials_only=True):
                if controller.poll() is not None or time.monotonic() > deadline:
                    controller.kill()
                    yield "the other controller did not start a trial"
                    return
                time.sleep(_POLL_SECONDS)
            controller.send_signal(signal.SIGKILL)
        began = time.monotonic()
        while bench.running(installation):
            if time.monotonic() - began > _ORPHAN_SECONDS:
                yield "its containers run on"
                break
            time.sleep(_POLL_SECONDS)
        # The next start removes what the dead one left.
        subprocess.run(  # noqa: S603 - this program itself
            bench.command(home, "backtest", str(_plain_file(home)), "--skip-screening"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * _START_SECONDS,
            check=False,
        )
        if left := bench.members(installation):
            yield f"containers left after the next start: {', '.join(sorted(left))}"
    shutil.rmtree(home, ignore_errors=True)


def _future_read(bench: Bench, full: bool) -> Iterator[str]:  # noqa: FBT001 - one signature
    del full
    request = bench.request(_PEEKS, dict(LIMITS) | {"wall_seconds": 60, "cpu_seconds": 30})
    request.causality = True
    items = list(bench.client.run_backtest(request))
    outcome = common_pb2.Outcome.Name(items[-1].result.trial.outcome).removeprefix("OUTCOME_")
    if outcome != "LOOKAHEAD":
        yield f"{outcome or 'no outcome'}, not LOOKAHEAD"


def _plain_file(home: Path) -> Path:
    path = home / "plain.py"
    path.write_text(_PLAIN, "utf-8")
    return path


DRILLS: Final = (
    Drill("hostile-sources", "host side", _hostile_sources, "parsing in a process with limits"),
    Drill(
        "hostile-names", "host side", _hostile_names, "validation at the service's edge", ci=True
    ),
    Drill("cancel-in-mid-trial", "lifecycle", _cancel, "the container is killed first", ci=True),
    Drill("reader-stalls", "output", _reader_stalls, "deadlines do not depend on a reader"),
    Drill("future-read", "truth", _future_read, "orders must not depend on what comes later"),
    Drill("burst", "lifecycle", _burst, "members have slots, others wait"),
    Drill(
        "controller-killed",
        "lifecycle",
        _controller_killed,
        "a container ends with its controller; the next start sweeps",
    ),
)
"""Errors of the engine (create fails, 409, 500) cannot be made on one that works: the tests of the
sandbox make them."""
