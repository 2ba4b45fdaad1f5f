"""Parameter points per second of the numpy evaluator, against vectorbt on the same grid and bars.

Run ``python -m benchmarks.screen [--points N] [--rounds N]``. One symbol, 3,270 daily bars (13
years) from a seeded generator, ``ema_cross_atr`` at 1,000 random points of its grid. Both sides
compute averages, signals, trades at the next open with an intrabar stop, slippage and fees, and of
every point the return, the Sharpe ratio, the drawdown and the number of trades; one process each,
one thread each, in turns. The first run of each (vectorbt compiles in it) is reported, not counted.

vectorbt gets an environment of its own in ``.cache/``, made by the first run; where it cannot be
installed, its side is skipped, and the reason is printed. The two do not trade exactly alike:
vectorbt buys fractions of shares, seeds averages with the first close, and has its own rules for
what happens inside a bar.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np
from benchmarks.support.figures import head, machine, row
from benchmarks.support.peers import environment_of

from stratlab.contract.space import Grid
from stratlab.contract.vectorised import GridResult, screen_grid
from stratlab.domain.market import CostModel, PricePanel
from stratlab.generation import load_templates

BARS = 3270
CAPITAL = 100_000.0
VECTORBT = "0.28.0"
PROGRAM = Path(__file__).with_name("support") / "vectorbt_screen.py"
CONTRACT = load_templates()["ema_cross_atr"]


@dataclass(frozen=True)
class Side:
    """Seconds of one evaluator: its first run, then the ones that count."""

    first: float
    wall: list[float]
    cpu: list[float]


def random_panel(seed: int = 7) -> PricePanel:
    """Return 13 years of one symbol with trends, in cents."""
    random = np.random.default_rng(seed)
    days = np.busday_offset("2000-01-03", np.arange(BARS), roll="forward")
    drift = np.repeat(random.normal(0.0003, 0.002, BARS // 40 + 1), 40)[:BARS]
    close = 40 * np.exp(np.cumsum(drift + random.normal(0, 0.014, BARS)))
    opening = np.concatenate([[40.0], close[:-1]]) * np.exp(random.normal(0, 0.005, BARS))
    high = np.maximum(opening, close) * (1 + random.exponential(0.006, BARS))
    low = np.minimum(opening, close) * (1 - random.exponential(0.006, BARS))
    fields = (np.round(values, 2)[:, None] for values in (opening, high, low, close))
    labels = days.astype("datetime64[s]").astype(np.int64)
    return PricePanel(labels, ("AAA",), *fields, np.full((BARS, 1), 1e8))


def random_points(count: int) -> list[dict[str, int | float]]:
    """Return distinct points of the template's own grid."""
    grid = Grid(CONTRACT)
    return [grid.point(number) for number in Random(7).sample(range(grid.size), count)]


def ours(panel: PricePanel, points: list[dict[str, int | float]]) -> GridResult:
    """Screen the grid with the product."""
    return screen_grid(
        CONTRACT, panel, points, first_bar=0, capital=CAPITAL, cost_model=CostModel()
    )


@contextmanager
def vectorbt_process(
    python: Path, panel: PricePanel, points: list[dict[str, int | float]]
) -> Iterator["subprocess.Popen[str]"]:
    """Start vectorbt on the bars and points."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        file = Path(directory) / "bars.npz"
        np.savez(
            file,
            **{name: getattr(panel, name)[:, 0] for name in ("open", "high", "low", "close")},
            fast=[point["fast_length"] for point in points],
            slow=[point["slow_length"] for point in points],
            stop=[point["stop_mult"] for point in points],
        )
        with subprocess.Popen(
            [str(python), str(PROGRAM), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            yield process


def ask(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Let vectorbt screen the grid once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def timed(
    panel: PricePanel, points: list[dict[str, int | float]]
) -> tuple[float, float, GridResult]:
    """Return wall and CPU seconds of our side, and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = ours(panel, points)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def measure(count: int, rounds: int) -> dict[str, Side]:
    """Run both sides in turns."""
    panel, points = random_panel(), random_points(count)
    python = environment_of("vectorbt", VECTORBT)
    first, _, result = timed(panel, points)
    sides = {"stratlab": Side(first, [], [])}
    if isinstance(python, str):
        print(f"vectorbt {VECTORBT} is skipped, it cannot be installed: {python}\n")
        for _ in range(rounds):
            _note(sides["stratlab"], *timed(panel, points)[:2])
        return sides
    name = f"vectorbt {VECTORBT}"
    with vectorbt_process(python, panel, points) as process:
        answer = ask(process)
        sides[name] = Side(answer["wall"], [], [])
        for _ in range(rounds):
            _note(sides["stratlab"], *timed(panel, points)[:2])
            answer = ask(process)
            _note(sides[name], answer["wall"], answer["cpu"])
        assert process.stdin is not None
        process.stdin.close()
    agreement = np.corrcoef(result.final_return, answer["returns"])[0, 1]
    print(
        f"{result.trades.sum()} trades here, {sum(answer['trades'])} there; correlation of the "
        f"points' returns {agreement:.3f}\n"
    )
    return sides


def _note(side: Side, wall: float, cpu: float) -> None:
    side.wall.append(wall)
    side.cpu.append(cpu)


def main(count: int, rounds: int) -> None:
    """Print the table."""
    print(machine())
    print(f"ema_cross_atr, {count} points, {BARS} bars, median of {rounds} interleaved rounds\n")
    sides = measure(count, rounds)
    print(head("", "points/s", "s", "range", "CPU s", "first run, s"))
    for name, side in sides.items():
        wall = median(side.wall)
        print(
            row(
                name,
                f"{count / wall:,.0f}",
                f"{wall:.3f}",
                f"{min(side.wall):.3f} to {max(side.wall):.3f}",
                f"{median(side.cpu):.3f}",
                f"{side.first:.2f}",
            )
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.points, arguments.rounds)
