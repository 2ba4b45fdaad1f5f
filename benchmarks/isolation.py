"""What isolation costs: T4, T5, T6 and T9.

Run ``python -m benchmarks.isolation [--rounds N] [--python PATH]``; needs the engine with gVisor
and the sandbox image. The EMA cross of ``benchmarks.engine`` over 3,200 daily bars of IBM, by the
product's engine, in turns: in one warm process, then in a container of runc and in one of gVisor
that were ready and had run nothing, through the product's own sandbox, then by stock zipline in a
fresh ``docker run``. The warm process runs in a container without limits, profile or fork; with
``--python`` it is one of the host, whose Python must have the image's pinned packages.

CPU seconds are the strategy's own, from its first line to its last bar. gVisor's kernel works
beside the strategy and is not in them, so gVisor is judged by the clock.
"""

import argparse
import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.support.figures import head, machine, row
from benchmarks.support.measured_sandbox import (
    ALL_YEARS,
    Stamps,
    batch,
    home_with_data,
    opened,
    run_one,
)
from benchmarks.support.plain_docker import SUPPORT, command, run_cold
from benchmarks.support.stamped import Told, stamped

from stratlab.domain.market import Tier
from stratlab.domain.trial import Limits
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox

ROOT = Path(__file__).parents[1]
CAPITAL = 1_000_000.0
START, END = ALL_YEARS.start.isoformat(), ALL_YEARS.end.isoformat()
IN_PROCESS, RUNC, RUNSC, COLD = "in a warm process", "runc", "runsc", "cold `docker run`"
Run = tuple[float, Told]
"""When it was asked for, and what it told."""


@contextmanager
def warm_process(tier: Path, python: Path | None, source: str) -> Iterator[Callable[[], Run]]:
    """Start the process to compare with; yields what runs the strategy in it once more."""
    arguments = [str(CAPITAL), START, END, "IBM"]
    environment = None
    if python is None:
        started = command(
            "in_process.py",
            tier,
            "/data",
            *arguments,
            options=("--security-opt=seccomp=unconfined",),
        )
    else:
        paths = [ROOT / "sandbox_image", ROOT / "proto" / "gen"]
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        environment = dict.fromkeys(threads, "1") | {
            "PYTHONPATH": ":".join(map(str, paths)), "PYTHONHASHSEED": "0"
        }  # fmt: skip
        script = str(SUPPORT / "in_process.py")
        started = [str(python), "-P", "-W", "ignore", script, str(tier), *arguments]
    with subprocess.Popen(
        started, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None
        print(json.dumps(source), file=requests, flush=True)
        assert answers.readline() == "ready\n"

        def run() -> Run:
            asked = time.time()
            print(file=requests, flush=True)
            return asked, Told.read(answers.readline())

        yield run
        requests.close()


async def sandboxed(sandbox: DockerSandbox, source: str, runtime: str, stamps: Stamps) -> Run:
    """Run it in a container that is ready; return when its code was sent."""
    work = batch(source, {}, window=ALL_YEARS, runtime=runtime, limits=Limits(max_leverage=10.0))
    claim = await run_one(sandbox, work)
    return stamps.sent, Told.read(claim.output_tail)


async def measure(home: Path, rounds: int, python: Path | None) -> dict[str, list[Run]]:
    """Run all sides in turns, after a round that does not count."""
    stamps = Stamps()
    stamps.attach()
    catalogue = Catalogue(home)
    tier = catalogue.mount("us-daily", Tier.HOLDOUT)
    runs: dict[str, list[Run]] = {name: [] for name in (IN_PROCESS, RUNC, RUNSC, COLD)}
    async with opened(home, pool_low=0) as (sandbox, _):
        await sandbox.prove("runsc")
        count = batch("def initialize(context):\n    pass\n", {}, window=ALL_YEARS)
        source = stamped(len((await run_one(sandbox, count)).equity))
        with warm_process(tier, python, source) as run:
            for _ in range(rounds + 1):
                runs[IN_PROCESS].append(await asyncio.to_thread(run))
                for runtime in (RUNC, RUNSC):
                    runs[runtime].append(await sandboxed(sandbox, source, runtime, stamps))
                asked = time.time()
                output = await asyncio.to_thread(run_cold, tier, source, START, END, CAPITAL)
                runs[COLD].append((asked, Told.read(output)))
    return {name: measured[1:] for name, measured in runs.items()}


def figure(runs: Sequence[Run], of: Callable[[float, Told], float]) -> tuple[float, str]:
    """Return the median over all rounds, and the range as text."""
    values = [of(asked, told) for asked, told in runs]
    return median(values), f"{min(values):.3f} to {max(values):.3f}"


def report(runs: dict[str, list[Run]]) -> None:
    """Print the tables."""
    columns: dict[str, Callable[[float, Told], float]] = {
        "CPU": lambda _, told: told.cpu,
        "loop, CPU": lambda _, told: told.loop_cpu,
        "asked to last bar": lambda asked, told: told.last_bar - asked,
        "loop": lambda _, told: told.loop,
        "asked to first bar": lambda asked, told: told.first_bar - asked,
    }
    print(head("seconds, median (range)", *columns))
    found = {
        name: {column: figure(measured, of) for column, of in columns.items()}
        for name, measured in runs.items()
    }
    for name, figures in found.items():
        print(row(name, *(f"{middle:.3f} ({spread})" for middle, spread in figures.values())))
    middles = {
        name: {column: middle for column, (middle, _) in figures.items()}
        for name, figures in found.items()
    }
    plain, runc, runsc, cold = (middles[name] for name in (IN_PROCESS, RUNC, RUNSC, COLD))
    dirty = median(told.private_dirty_mib for _, told in runs[RUNC])
    resident = median(told.rss_mib for _, told in runs[COLD])
    last, first = "asked to last bar", "asked to first bar"
    rows: list[tuple[str, float, float, float]] = [
        ("T4: runc / in process, CPU", runc["CPU"], plain["CPU"], 1.10),
        ("T4: the same by the clock", runc[last], plain[last], 1.10),
        ("T5: runsc / in process, by the clock", runsc[last], plain[last], 1.30),
        ("T5: loop alone", runsc["loop"], plain["loop"], 1.10),
        ("T6: cold / fork, to the first bar", cold[first], runc[first], -50),
        ("T9: private dirty MiB of a child / resident MiB when cold", dirty, resident, 0.25),
    ]
    print("\n" + head("ratio", "value", "of", "to", "target"))
    for name, one, other, target in rows:
        ratio = one / other
        met = ratio <= target if target > 0 else ratio >= -target
        sign = "<=" if target > 0 else ">="
        wanted = f"{sign} {abs(target):g}: {'met' if met else 'missed'}"
        print(row(name, f"{ratio:.2f}", f"{one:.3g}", f"{other:.3g}", wanted))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--python", type=Path)
    asked = parser.parse_args()
    print(machine() + "\n")
    with home_with_data() as home:
        runs = asyncio.run(measure(home, asked.rounds, asked.python))
    report(runs)
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
