"""The same snippet through our sandbox and through llm-sandbox, same engine and image, in turns.

Run ``python -m benchmarks.snippet [--rounds N]``; needs the engine and the sandbox image. The
snippet prints the clock, imports what strategies import from zipline, and prints it
again. llm-sandbox (PyPI, docker back-end) is installed into an environment of its own in
``.cache/``; it runs code as a script of a new interpreter in a container that stays, as root and
without limits unless its caller sets some, and only its network is off here. Our side is a trial of
the product: claimed from the pool, under the whole policy, killed and removed afterwards.
"""

import argparse
import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.support.figures import head, machine, percentile, row
from benchmarks.support.measured_sandbox import (
    Stamps,
    batch,
    home_with_data,
    idle,
    opened,
    run_one,
)
from benchmarks.support.peers import environment_of
from benchmarks.support.plain_docker import IMAGE, SUPPORT

from stratlab.sandbox import DockerSandbox

LLM_SANDBOX = "0.3.46"
SNIPPET = """
import time
print(time.time(), flush=True)
from zipline.api import order_target_percent, symbol
print(time.time(), flush=True)


def initialize(context):
    pass
"""
LINES = 2
Figures = dict[str, list[float]]


@contextmanager
def llm_sandbox(python: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start its side."""
    with subprocess.Popen(
        [str(python), str(SUPPORT / "llm_sandbox_session.py"), IMAGE, SNIPPET],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def their_round(process: "subprocess.Popen[str]", found: Figures) -> None:
    """Add what one of its rounds took; one that lost a part of the output is repeated."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines = 0
    while lines < LINES * 2:
        print(file=process.stdin, flush=True)
        told = json.loads(process.stdout.readline())
        first, second = told["runs"]
        lines = len(first["printed"].split()) + len(second["printed"].split())
    for name, since, run in (("cold", told["asked"], first), ("warm", second["began"], second)):
        line, imported = map(float, run["printed"].split())
        found.setdefault(f"llm-sandbox, {name}: to the first line", []).append(line - since)
        found.setdefault(f"llm-sandbox, {name}: zipline imported", []).append(imported - since)
    found.setdefault("llm-sandbox: close", []).append(told["closed"] - told["closing"])


async def measure(home: Path, python: Path | None, rounds: int) -> Figures:
    """Run both sides in turns, after a round that does not count."""
    stamps = Stamps()
    stamps.attach()
    found: Figures = {}

    async def ours(sandbox: DockerSandbox, name: str) -> None:
        warm = name == "warm"
        if warm:
            await idle(sandbox, 1)
        stamps.teardowns.clear()
        asked = time.time()
        claim = await run_one(sandbox, batch(SNIPPET, {}))
        line, imported = map(float, claim.output_tail.split())
        since = stamps.sent if warm else asked
        found.setdefault(f"ours, {name}: to the first line", []).append(line - since)
        found.setdefault(f"ours, {name}: zipline imported", []).append(imported - since)
        found.setdefault("ours: teardown", []).append(stamps.teardowns[0])

    async with opened(home, pool_low=0) as (cold, _), opened(home, members=2) as (warm, _):
        await run_one(warm, batch(SNIPPET, {}))
        with llm_sandbox(python) if python else nullcontext() as process:
            if process:
                their_round(process, {})
            for _ in range(rounds):
                await ours(cold, "cold")
                await ours(warm, "warm")
                if process:
                    await asyncio.to_thread(their_round, process, found)
    return found


def main(rounds: int) -> None:
    """Measure and print."""
    print(machine() + "\n")
    python = environment_of("llm-sandbox", LLM_SANDBOX, "docker")
    if isinstance(python, str):
        print(f"llm-sandbox cannot be installed, its side is skipped: {python}\n")
    with home_with_data() as home:
        found = asyncio.run(measure(home, python if isinstance(python, Path) else None, rounds))
    print(head(f"milliseconds, {rounds} rounds", "p50", "p95", "max"))
    for name, values in sorted(found.items()):
        cells = (percentile(values, 0.5), percentile(values, 0.95), max(values))
        print(row(name, *(f"{1000 * each:.1f}" for each in cells)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    main(parser.parse_args().rounds)
