"""What an iteration costs the controller besides backtest and generation, and what it leaves.

Run ``python -m benchmarks.loop [ITERATIONS] [DIRECTORY]``. A real campaign manager, store (SQLite,
with its fsyncs), screening process, evaluation and reports; candidates of the factor graph; the
sandbox is the fake that passes the sandbox suite, and answers at once. DIRECTORY should be on the
disk that the controller will use, because commits wait for it.

An iteration is everything between two calls of the generator. Subtracted are the times inside the
generator and inside the sandbox; screening, a process of its own, is shown by itself.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.support.figures import head, machine, percentile, row, rss_mib
from tests.suites.fake_sandbox import FakeSandbox, Script
from tests.suites.small_lab import SYMBOLS, PanelData, honest_claim, small_lab, small_spec

from stratlab.campaigns.history import History
from stratlab.domain.campaign import StopRules
from stratlab.domain.gates import Gates
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.ports import FirstJudge, ProgressListener
from stratlab.domain.strategy import Author, Candidate, ScreeningReport
from stratlab.domain.trial import TrialBatch, TrialClaim
from stratlab.generation import templates_for
from stratlab.screening import SubprocessScreener
from stratlab.search import FactorGraphGenerator

WARM_UP = 50
"""Iterations before memory is looked at: imports, caches and pools have settled by then."""
READS = 200
RECENT = 5
POLL_SECONDS = 0.5


class Instant(FakeSandbox):
    """The fake of the sandbox suite, without waits and without a memory of its batches."""

    def __init__(self, market_data: PanelData) -> None:
        super().__init__(honest=partial(honest_claim, market_data))
        self.seconds = self.cpu_seconds = 0.0

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        """Return honest claims at once."""
        self.scripts = {batch.source: Script(seconds=0.0)}
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return await super().run(batch, on_progress, judge_first)
        finally:
            self.batches.clear()
            self.seconds += time.perf_counter() - began
            self.cpu_seconds += time.process_time() - cpu


class TimedScreener:
    """The screener of the product, with a clock."""

    def __init__(self) -> None:
        self._screener = SubprocessScreener()
        self.seconds = 0.0

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        """Screen as the product does."""
        began = time.perf_counter()
        try:
            return self._screener.screen(source, author)
        finally:
            self.seconds += time.perf_counter() - began


@dataclass
class Stopwatch:
    """Marks the iterations; stands in front of the generator.

    Attributes:
        sandbox, screener: Whose times are taken out or shown apart.
        whole, screening: Wall seconds of each iteration.
        cpu: Processor seconds of the controller in each iteration, without those of screening.
        memory: Resident MiB by iteration.
        admitted: Size of the hall of fame at the end; it is read in every iteration.
    """

    sandbox: Instant
    screener: TimedScreener
    whole: list[float] = field(default_factory=list)
    screening: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: dict[int, float] = field(default_factory=dict)
    admitted: int = 0
    _generator: FactorGraphGenerator = field(
        default_factory=lambda: FactorGraphGenerator(templates_for)
    )
    _mark: float = 0.0
    _cpu_mark: float = 0.0

    def generate(self, request: GenerationRequest) -> Candidate:
        """Note what the last iteration took, then generate as the product does."""
        if request.iteration > 1:
            elapsed, cpu = time.perf_counter() - self._mark, time.process_time() - self._cpu_mark
            self.whole.append(elapsed - self.sandbox.seconds)
            self.cpu.append(cpu - self.sandbox.cpu_seconds)
            self.screening.append(self.screener.seconds)
        if request.iteration % WARM_UP == 0:
            self.memory[request.iteration] = rss_mib()
        try:
            return self._generator.generate(request)
        finally:
            self.sandbox.seconds = self.sandbox.cpu_seconds = self.screener.seconds = 0.0
            self._mark, self._cpu_mark = time.perf_counter(), time.process_time()


async def run_campaign(home: Path, iterations: int) -> tuple[Stopwatch, dict[str, list[float]]]:
    """Run one campaign and return its times, and those of reading its recent history."""
    watch = Stopwatch(Instant(PanelData()), TimedScreener())
    rules = StopRules(
        max_iterations=iterations,
        max_wall_seconds=None,
        max_consecutive_failures=iterations,
        no_improvement_iterations=None,
    )
    spec = small_spec(stop_rules=rules, markets=(SYMBOLS,), gates=Gates(), seed=1)
    with small_lab(home, generator=watch, screener=watch.screener, sandbox=watch.sandbox) as lab:
        campaign = await lab.manager.create(spec, "")
        # Not watched: what a watcher costs is measured by benchmarks/api.py.
        while not (ended := lab.repository.get_campaign(campaign.id)).state.is_final:  # noqa: ASYNC110 - an event would need a watcher
            await asyncio.sleep(POLL_SECONDS)
        assert ended.iteration == iterations, f"{ended.state} {ended.state_reason}"
        last = ended.iteration
        watch.admitted = len(lab.repository.hall_of_fame(campaign.id))
        recent = partial(lab.repository.list_iterations, campaign.id, after=last - RECENT)
        history = History(lab.repository.list_iterations(campaign.id))
        reads = {
            f"last {RECENT} iterations from the store, {READS} reads": times(recent),
            "all summaries, as the generator gets them": times(lambda: tuple(history.summaries)),
        }
    return watch, reads


def fsyncs(directory: Path) -> list[float]:
    """Return the seconds of each of many small synchronised writes: the disk's part and noise."""
    with (directory / "fsync").open("wb", buffering=0) as file:

        def write() -> None:
            file.write(b"x" * 4096)
            os.fsync(file.fileno())

        return times(write)


def times(work: Callable[[], object]) -> list[float]:
    """Return the seconds of each of many calls."""
    taken = []
    for _ in range(READS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken


def milliseconds(values: list[float]) -> tuple[str, str, str]:
    """Return p50, p95 and p99 as text."""
    return tuple(f"{1e3 * percentile(values, share):.2f}" for share in (0.5, 0.95, 0.99))


def main(iterations: int, directory: Path) -> None:
    """Print the tables."""
    print(machine())
    disk = fsyncs(directory)
    cpu = time.process_time()
    began = time.perf_counter()
    watch, reads = asyncio.run(run_campaign(directory, iterations))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    without = [a - b for a, b in zip(watch.whole, watch.screening, strict=True)]
    print(
        f"{iterations} iterations, {wall:.0f} s wall, {cpu:.0f} s CPU of the controller, "
        f"{watch.admitted} candidates in the hall of fame\n"
    )
    print(head("milliseconds per iteration", "p50", "p95", "p99"))
    print(row("overhead without screening", *milliseconds(without)))
    print(row("screening (own process)", *milliseconds(watch.screening)))
    print(row("overhead with screening", *milliseconds(watch.whole)))
    print(row("processor time of the controller", *milliseconds(watch.cpu)))
    tenth = max(len(without) // 10, 1)
    print(row("without screening, first tenth", *milliseconds(without[:tenth])))
    print(row("without screening, last tenth", *milliseconds(without[-tenth:])))
    print(row("one fsync of 4 KiB there, before", *milliseconds(disk)))
    print(row("one fsync of 4 KiB there, after", *milliseconds(fsyncs(directory))))
    print()
    print(head("recent history, milliseconds", "p50", "p95", "p99"))
    for name, values in reads.items():
        print(row(name, *milliseconds(values)))
    print()
    first, last = min(watch.memory), max(watch.memory)
    slope = statistics.linear_regression(
        list(watch.memory), list(watch.memory.values())
    ).slope  # MiB per iteration
    print(head("memory of the controller, MiB", "RSS"))
    print(row(f"after {first} iterations", f"{watch.memory[first]:.1f}"))
    print(row(f"after {last} iterations", f"{watch.memory[last]:.1f}"))
    print(row("growth", f"{watch.memory[last] - watch.memory[first]:.1f}"))
    print(row("growth in 1,000 iterations, by regression", f"{1e3 * slope:.1f}"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("iterations", nargs="?", type=int, default=1000 + WARM_UP)
    parser.add_argument("directory", nargs="?")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as chosen:
        main(options.iterations, Path(chosen))
