"""One trial through the sandbox against the same algorithm in a plain, warm zipline process.

Run ``python -m benchmarks.trial [--rounds N]``; needs the engine and the sandbox image. IBM over
five years of daily bars, zipline's own costs on both sides. Each round runs, one after the other:
plain zipline (a process in the same image that has imported everything and has run before), a batch
of two trials in a fresh container through the product's own sandbox, and plain zipline again. The
value of the portfolio must be the same everywhere, or the benchmark fails.

``container`` CPU is what the trial's own process used; ``controller`` CPU is this process's, for
frames and checks, during the whole batch.
"""

import argparse
import asyncio
import json
import logging
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import structlog
from benchmarks.support.figures import head, machine, row

from stratlab.bootstrap import SystemClock, build_data_set
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, Window
from stratlab.domain.trial import (
    Limits,
    Outcome,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.evaluation.repricing import reprice
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import Settings
from stratlab.store import open_repository

WINDOW = Window(Tier.TRAIN, date(2001, 6, 1), date(2006, 5, 31))
CAPITAL = 100_000.0
SAME_VALUE = 1e-6
WARM_ZIPLINE = Path(__file__).with_name("support") / "warm_zipline.py"

STRATEGY = """
from zipline.api import order_target_percent, symbol


def initialize(context):
    context.asset = symbol("IBM")


def handle_data(context, data):
    prices = data.history(context.asset, "close", 60, "1d")
    fast, slow = prices.iloc[-20:].mean(), prices.mean()
    order_target_percent(context.asset, 1.0 if fast > slow else 0.0)
"""


@dataclass(frozen=True)
class Round:
    """Seconds of one round.

    Attributes:
        plain: Wall and CPU of the two plain runs.
        cold: Wall of the first trial with everything: container, imports, trial.
        startup: Wall of its container's start, until it could take work.
        first, second: The two trials in the container: wall seen by the controller, and CPU.
        batch, controller: Wall of the whole batch, teardown included, and our own CPU.
    """

    plain: list[tuple[float, float]]
    cold: float
    startup: float
    first: tuple[float, float]
    second: tuple[float, float]
    batch: float
    controller: float


def trial(index: int) -> TrialSpec:
    """Return one of the trials of a batch."""
    return TrialSpec(
        trial_id=f"t{index}",
        index=index,
        purpose=TrialPurpose.ADHOC,
        market=MarketSet("us-daily", ("IBM",)),
        window=WINDOW,
        parameters={},
        capital=CAPITAL,
        cost_model=replace(CostModel(), kind=CostModelKind.ZIPLINE),
    )


class PlainZipline:
    """The process to compare with."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._answers = process.stdin, process.stdout
        self.answer()

    def answer(self) -> dict[str, float]:
        """Return the next line that it prints."""
        answer: dict[str, float] = json.loads(self._answers.readline())
        return answer

    def run(self) -> dict[str, float]:
        """Run the strategy once."""
        self._requests.write("\n")
        self._requests.flush()
        return self.answer()


@contextmanager
def plain_zipline(image: str, data: Path) -> Iterator[PlainZipline]:
    """Start plain zipline in the image, with no more isolation than a container has anyway."""
    command = [
        "docker", "run", "--rm", "-i", "--network=none", "--read-only", "--tmpfs=/tmp",
        f"--volume={data}:/data:ro", f"--volume={WARM_ZIPLINE}:/warm_zipline.py:ro",
        "--entrypoint=python", image, "-P", "/warm_zipline.py",
        STRATEGY, WINDOW.start.isoformat(), WINDOW.end.isoformat(), str(CAPITAL),
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield PlainZipline(process)
        assert process.stdin is not None
        process.stdin.close()


def host_value(claim: TrialClaim, catalogue: Catalogue) -> float:
    """Return the last value of the portfolio, rebuilt from the orders as the product does."""
    spec = trial(0)
    prices = catalogue.prices(spec.market, spec.window.tier)
    return float(reprice(claim.log, prices, WINDOW, CAPITAL, spec.cost_model).equity[-1])


async def measure(home: Path, rounds: int) -> list[Round]:
    """Run all rounds, after one that does not count."""
    settings, clock, catalogue = Settings(home=home), SystemClock(), Catalogue(home)
    repository = open_repository(settings.store_url)
    # A container of its own for every batch, and its trials one after the other.
    cold = settings.sandbox.model_copy(update={"pool_low": 0, "sweep_processes": 1})
    async with DockerSandbox.open(
        cold, home, repository.leases(), catalogue, clock, alone=True
    ) as sandbox:
        image = (await sandbox.prove()).image_id
        with plain_zipline(image, catalogue.mount("us-daily", Tier.TRAIN)) as plain:
            plain.run()
            measured = [await one_round(sandbox, plain, catalogue) for _ in range(rounds + 1)]
    repository.close()
    return measured[1:]


async def one_round(sandbox: DockerSandbox, plain: PlainZipline, catalogue: Catalogue) -> Round:
    """Run plain, sandbox, plain."""
    answers = [await asyncio.to_thread(plain.run)]
    batch = TrialBatch("benchmark", STRATEGY, (trial(0), trial(1)), Limits())
    began, cpu = time.perf_counter(), time.process_time()
    claims = await sandbox.run(batch, lambda _: None)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    answers.append(await asyncio.to_thread(plain.run))
    assert [claim.outcome for claim in claims] == [Outcome.SUCCEEDED] * 2, claims
    values = [answer["value"] for answer in answers] + [host_value(c, catalogue) for c in claims]
    assert max(values) - min(values) < SAME_VALUE, values
    first, second = (claim.usage for claim in claims)
    return Round(
        plain=[(answer["wall"], answer["cpu"]) for answer in answers],
        cold=first.startup_seconds + first.wall_seconds,
        startup=first.startup_seconds,
        first=(first.wall_seconds, first.cpu_seconds),
        second=(second.wall_seconds, second.cpu_seconds),
        batch=wall,
        controller=cpu,
    )


def spread(values: list[float]) -> tuple[str, str]:
    """Return the median, and the range of all, as text."""
    return f"{median(values):.3f}", f"{min(values):.3f} to {max(values):.3f}"


def main(rounds: int) -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(machine())
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        build_data_set(Settings(home=home), "us-daily")
        measured = asyncio.run(measure(home, rounds))
    took = (datetime.now(UTC) - began).total_seconds()
    print(f"IBM, {WINDOW.start} to {WINDOW.end}, {rounds} interleaved rounds, {took:.0f} s\n")
    wall = [run[0] for each in measured for run in each.plain]
    cpu = [run[1] for each in measured for run in each.plain]
    rows = {
        "plain warm zipline, wall": (wall, wall),
        "plain warm zipline, CPU": (cpu, cpu),
        "cold: container, imports and trial, wall": ([each.cold for each in measured], wall),
        "of which until the container is ready": ([each.startup for each in measured], wall),
        "first trial in the container, wall": ([each.first[0] for each in measured], wall),
        "first trial in the container, CPU": ([each.first[1] for each in measured], cpu),
        "second trial in the container, wall": ([each.second[0] for each in measured], wall),
        "second trial in the container, CPU": ([each.second[1] for each in measured], cpu),
        "batch of two with teardown, wall": ([each.batch for each in measured], wall),
        "controller during the batch, CPU": ([each.controller for each in measured], cpu),
    }
    print(head("seconds", "median", "range", "ratio to plain"))
    for name, (values, reference) in rows.items():
        print(row(name, *spread(values), f"{median(values) / median(reference):.2f}"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    main(parser.parse_args().rounds)
