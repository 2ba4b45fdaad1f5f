"""What it takes to compare one candidate with everything that a campaign tried.

Run ``python -m benchmarks.novelty [COUNT]``. COUNT contracts are made by the operators from the
templates, each novel against those before it; COUNT sources are the algorithms of
``tests/zipline_compat`` with a line of their own. Then new ones are judged and scored against all
of them. What is archived has been seen before, as in a campaign; what is judged has not.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING

from benchmarks.calibrate_novelty import ALGORITHMS
from benchmarks.support.figures import head, machine, percentile, row, rss_mib

from stratlab.contract.document import canonical_json
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates
from stratlab.search.code_novelty import CodeIndex, shape_of
from stratlab.search.novelty import NoveltyIndex
from stratlab.search.operators import MUTATIONS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

LINEAGE = Lineage(GeneratorKind.FACTOR_GRAPH, "benchmark")
JUDGED = 50
RECENT = 500


def candidate_of(contract: "StrategyContract", number: int) -> Candidate:
    """Return a candidate that is never compiled."""
    text = canonical_json(contract)
    return Candidate(f"{number:064}", "made", "", "", text, contract.parameters, LINEAGE)


def novel(index: NoveltyIndex, count: int) -> Iterator[Candidate]:
    """Yield candidates that repeat nothing in the index, each a mutation of an earlier one."""
    random, contracts = Random(1), list(load_templates().values())
    number = 0
    while number < count:
        parent = random.choice(contracts[-RECENT:])
        child = MUTATIONS[random.choice(sorted(MUTATIONS))](parent, random)
        if child is not None and not index.repeats(child):
            number += 1
            contracts.append(child)
            yield candidate_of(child, number)


def measure(work: Callable[[str | Candidate], object], judged: list[object]) -> str:
    """Return the cells of one row: milliseconds of wall time, and of processor time."""
    walls, cpus = [], []
    for item in judged:
        began, cpu = time.perf_counter(), time.process_time()
        work(item)  # type: ignore[arg-type]  # each row is given what it works on
        walls.append(1e3 * (time.perf_counter() - began))
        cpus.append(1e3 * (time.process_time() - cpu))
    cells = (percentile(walls, 0.5), percentile(walls, 0.95), percentile(cpus, 0.5), max(cpus))
    return " | ".join(f"{value:.2f}" for value in cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    count = parser.parse_args().count
    print(f"{machine()}\n")
    began, index = time.perf_counter(), NoveltyIndex()
    archived: list[Candidate] = []
    judged: list[Candidate] = []
    for candidate in novel(index, count + JUDGED):
        if len(archived) < count:
            archived.append(candidate)
            index.add(candidate, len(archived))
        else:
            judged.append(candidate)
    made = time.perf_counter() - began
    began, index = time.perf_counter(), NoveltyIndex()
    for number, candidate in enumerate(archived, start=1):
        index.add(candidate, number)
    rebuilt = time.perf_counter() - began
    algorithms = [path.read_text() for path in sorted(ALGORITHMS.glob("*.py"))]
    sources = [
        f"{algorithms[number % len(algorithms)]}\nlast = {number}\n"
        for number in range(count + JUDGED)
    ]
    memory, code = rss_mib(), CodeIndex()
    for number, source in enumerate(sources[:count], start=1):
        code.add(source, (f"{number:064}", number))
    memory = rss_mib() - memory
    lines = sum(source.count("\n") for source in algorithms) // len(algorithms)

    def judge(candidate: Candidate) -> None:
        index.precedent(candidate)
        index.similarity(candidate)

    titles = ("wall p50", "wall p95", "processor p50", "processor max")
    print(head(f"milliseconds for one against {count:,}", *titles))
    for name, work, items in (
        ("contract: fingerprint, repetition and similarity", judge, judged),
        ("contract: similarity alone", index.similarity, judged),
        (f"code of {lines} lines: shape alone", shape_of, sources[count:]),
        ("code: shape, repetition and similarity", code.nearest, sources[count:]),
        ("code: similarity alone", code.nearest, sources[count:]),
    ):
        print(row(name, measure(work, items)))  # type: ignore[arg-type]  # see above
    print(f"\nmaking {count + JUDGED:,} novel contracts: {made:.1f} s")
    print(f"the index of {count:,} remembered contracts again: {rebuilt:.2f} s")
    print(f"memory of {count:,} sources, remembered and indexed: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
