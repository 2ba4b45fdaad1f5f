"""What screening costs: layers 1 to 5 of one file, and of 1,000 files in two processes.

Run ``python -m benchmarks.screening [FILES]``. Sources are the compiled templates, the algorithms
that the tests compare with zipline, and the honest styles of the screening tests; each of the
files differs from the others, so that nothing could be remembered. They go through the screener of
the product, from two threads: it then keeps two processes, and forks a child for each source.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from benchmarks.support.figures import head, machine, percentile, row

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation import load_templates
from stratlab.screening import SubprocessScreener
from stratlab.screening.layers import screen_text, warm_up

TESTS = Path(__file__).parents[1] / "tests"
PROCESSES = 2
WANTED_MILLISECONDS = 50.0
WANTED_SECONDS = 30.0
REPEATS = 20


def corpus() -> dict[str, str]:
    """Return honest sources by name."""
    files = [
        *sorted((TESTS / "zipline_compat" / "algorithms").glob("*.py")),
        *sorted((TESTS / "screening" / "corpus" / "honest").glob("*.py")),
    ]
    templates = load_templates().items()
    return {
        **{f"template {name}": compile_to_zipline(contract) for name, contract in templates},
        **{file.stem: file.read_text("utf-8") for file in files},
    }


def layers(sources: dict[str, str]) -> dict[str, list[float]]:
    """Return the milliseconds of each layer and of all, for each source; the best of several."""
    warm_up()
    figures: dict[str, list[float]] = {}
    for source in sources.values():
        runs = [screen_text(source) for _ in range(REPEATS)]
        best = min(runs, key=lambda report: sum(run.seconds for run in report.layers))
        for run in best.layers:
            figures.setdefault(run.layer, []).append(run.seconds * 1e3)
        figures.setdefault("all", []).append(sum(run.seconds for run in best.layers) * 1e3)
    return figures


def many(sources: dict[str, str], count: int) -> tuple[float, list[float]]:
    """Return the wall seconds for that many files, and the milliseconds of each."""
    texts = islice(cycle(sources.values()), count)
    files = [f"{text}\n# {number}\n" for number, text in enumerate(texts)]
    screener = SubprocessScreener()

    def timed(text: str) -> float:
        began = time.perf_counter()
        assert screener.screen(text).passed
        return (time.perf_counter() - began) * 1e3

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(screener.screen, files[:PROCESSES]))
        began = time.perf_counter()
        each = list(pool.map(timed, files))
        return time.perf_counter() - began, each


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="?", type=int, default=1000)
    count = parser.parse_args().files
    print(machine(), end="\n\n")
    sources = corpus()
    print(head(f"{len(sources)} sources, milliseconds of a file, warm", "p50", "p95", "max"))
    for name, values in layers(sources).items():
        cells = [percentile(values, 0.5), percentile(values, 0.95), max(values)]
        print(row(name, *(f"{cell:.2f}" for cell in cells)))
    print(f"\nWanted: below {WANTED_MILLISECONDS:.0f} ms.\n")
    seconds, each = many(sources, count)
    print(head(f"{count} files, {PROCESSES} processes", "value"))
    print(row("all, seconds", f"{seconds:.1f}"))
    print(row("files per second", f"{count / seconds:.0f}"))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        print(row(f"one file with its process, ms, {name}", f"{percentile(each, share):.1f}"))
    print(f"\nWanted: below {WANTED_SECONDS:.0f} s for 1,000 files.")


if __name__ == "__main__":
    main()
