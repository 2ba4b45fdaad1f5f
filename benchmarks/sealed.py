"""A sealed replay against the same trial with its tier mounted, both by the fast engine.

Run ``python -m benchmarks.sealed [--rounds N] [--runtimes runc runsc]``; needs the engine and the
sandbox image. 3,200 daily bars of IBM, every symbol of us-daily revealed beside it. Each round runs
both in turn, from the moment code is sent to a warm container to the moment it says that the trial
has ended; what the start took is told apart. Orders, fills and equity must be equal.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.support.engine_strategies import EMA_NUMPY, EMA_PANDAS
from benchmarks.support.figures import head, machine, row
from benchmarks.support.measured_sandbox import ALL_YEARS, batch, home_with_data, opened

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialClaim
from stratlab.generation.templates import load_templates
from stratlab.sandbox import DockerSandbox

TARGET = 2.0
TEMPLATE = "ema_cross_atr"


def strategies() -> dict[str, str]:
    """Return what is run, by name."""
    return {
        "EMA, indicators in numpy": EMA_NUMPY,
        "EMA, untouched pandas": EMA_PANDAS,
        f"template {TEMPLATE}": compile_to_zipline(load_templates()[TEMPLATE]),
    }


async def pair(sandbox: DockerSandbox, work: TrialBatch) -> tuple[TrialClaim, TrialClaim]:
    """Run a batch of one trial both ways."""
    (mounted,) = await sandbox.run(work, lambda _: None)
    (sealed,) = await sandbox.run_sealed(work, lambda _: None)
    assert mounted.outcome is sealed.outcome is Outcome.SUCCEEDED, (mounted, sealed)
    assert mounted.log == sealed.log
    assert mounted.fills == sealed.fills
    assert mounted.equity == sealed.equity
    return mounted, sealed


def ratios(pairs: Sequence[tuple[TrialClaim, TrialClaim]]) -> list[float]:
    """Return how many times as long the sealed one of each pair took, ascending."""
    return sorted(
        sealed.usage.wall_seconds / mounted.usage.wall_seconds for mounted, sealed in pairs
    )


async def measure(home: Path, rounds: int, runtimes: Sequence[str]) -> None:
    """Print one row for each strategy and runtime."""
    print(head("strategy", "runtime", "mounted s", "sealed s", "ratio", "range", "CPU ratio",
               "start, sealed s", "orders", f"< {TARGET:g} on runc"))  # fmt: skip
    async with opened(home, pool_low=0) as (sandbox, _):
        for runtime in runtimes:
            await sandbox.prove(runtime)
            for name, source in strategies().items():
                work = batch(
                    source, {}, window=ALL_YEARS, runtime=runtime, limits=Limits(max_leverage=10.0)
                )
                pairs = [await pair(sandbox, work) for _ in range(rounds)]
                print(line(name, runtime, pairs), flush=True)


def line(name: str, runtime: str, pairs: Sequence[tuple[TrialClaim, TrialClaim]]) -> str:
    """Return a row of the table."""
    found = ratios(pairs)
    mounted, sealed = (median(claims[at].usage.wall_seconds for claims in pairs) for at in range(2))
    cpu = median(b.usage.cpu_seconds / a.usage.cpu_seconds for a, b in pairs)
    start = median(claim.usage.startup_seconds for _, claim in pairs)
    verdict = "" if runtime != "runc" else ("met" if median(found) < TARGET else "missed")
    return row(
        name, runtime, f"{mounted:.2f}", f"{sealed:.2f}", f"{median(found):.2f}",
        f"{found[0]:.2f} to {found[-1]:.2f}", f"{cpu:.2f}", f"{start:.2f}",
        len(pairs[0][0].log), verdict,
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtimes", nargs="+", default=["runc", "runsc"])
    options = parser.parse_args()
    print(machine(), end="\n\n")
    with home_with_data() as home:
        asyncio.run(measure(home, options.rounds, options.runtimes))


if __name__ == "__main__":
    main()
