"""How fast a container's stream is taken in: entries and bytes a second, checked one by one.

Run ``python -m benchmarks.stream [--frames N] [--rounds N]``; needs the engine with gVisor and the
sandbox image. A strategy builds frames of 256 orders, the product's batch, as the runner would, and
then writes them as fast as its pipe takes them, so what is measured is everything behind the pipe:
supervisor, gRPC over the unix socket, and the controller's checks. It ends when the controller has
the last frame.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path
from statistics import median

from benchmarks.support.figures import MIB, head, machine, row
from benchmarks.support.measured_sandbox import Stamps, batch, home_with_data, opened, run_one

BATCH = 256
SOURCE = """
import time
from stratlab_runner.wire import write_frame
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

BAR = 1007078400  # 2001-11-30


def frame(first):
    entries = [
        pb.LogEntry(number=first + place, bar=BAR, phase=pb.LogEntry.PHASE_BAR, symbol="IBM",
                    amount=100, kind="limit", limit_price=100.25)
        for place in range(BATCH)
    ]
    log = pb.LogBatch(trial_id="t0", entries=entries)
    return pb.AttachRequest(log=log).SerializeToString()


frames = [frame(1 + BATCH * number) for number in range(FRAMES)]
print(time.time(), sum(map(len, frames)))
for each in frames:
    write_frame(3, each)


def initialize(context):
    pass
"""


async def measure(
    home: Path, frames: int, rounds: int
) -> dict[str, list[tuple[float, int, float]]]:
    """Return seconds, bytes and the controller's CPU seconds of each round, by runtime."""
    stamps = Stamps()
    stamps.attach()
    source = SOURCE.replace("BATCH", str(BATCH)).replace("FRAMES", str(frames))
    found: dict[str, list[tuple[float, int, float]]] = {"runc": [], "runsc": []}
    async with opened(home, pool_low=0) as (sandbox, _):
        for _ in range(rounds):
            for runtime, measured in found.items():
                await sandbox.prove(runtime)
                cpu = time.process_time()
                claim = await run_one(sandbox, batch(source, {}, runtime=runtime))
                cpu = time.process_time() - cpu
                assert len(claim.log) == frames * BATCH
                began, size = claim.output_tail.split()
                ended = stamps.sent + claim.usage.wall_seconds
                measured.append((ended - float(began), int(size), cpu))
    return found


def main(frames: int, rounds: int) -> None:
    """Measure and print."""
    print(machine() + "\n")
    with home_with_data() as home:
        found = asyncio.run(measure(home, frames, rounds))
    columns = ("seconds", "range", "entries/s", "frames/s", "MiB/s", "controller CPU s")
    print(head(f"{frames * BATCH} orders", *columns))
    for runtime, measured in found.items():
        seconds = [each for each, _, _ in measured]
        middle, size = median(seconds), measured[0][1]
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        cpu = median(cpu for _, _, cpu in measured)
        rates = (f"{frames * BATCH / middle:,.0f}", f"{frames / middle:.0f}")
        print(
            row(
                runtime, f"{middle:.2f}", spread, *rates, f"{size / MIB / middle:.1f}", f"{cpu:.2f}"
            )
        )
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.frames, arguments.rounds)
