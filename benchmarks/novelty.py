"""What it takes to compare one candidate with everything that a campaign tried.

Run ``python -m benchmarks.novelty [COUNT]``. COUNT contracts are made by the operators from the
templates, each novel against those before it, and COUNT sources by giving those contracts to the
compiler; then new ones are judged and scored against all of them. Fingerprints of the archived
ones are remembered, as in a campaign; that of the new one is not.
"""

import argparse
import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from benchmarks.support.figures import head, machine, percentile, row, rss_mib

from stratlab.contract.candidate import candidate_from_contract
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates
from stratlab.search import novelty
from stratlab.search.code_novelty import CodeIndex, shape_of
from stratlab.search.novelty import NoveltyIndex
from stratlab.search.operators import MUTATIONS

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract

LINEAGE = Lineage(GeneratorKind.FACTOR_GRAPH, "benchmark")
JUDGED = 50


def grow(count: int) -> list[Candidate]:
    """Return as many novel candidates, each a mutation of an earlier one."""
    random, index = Random(1), NoveltyIndex()
    contracts: list[StrategyContract] = []
    candidates: list[Candidate] = []
    for template in load_templates().values():
        contracts.append(template)
        candidates.append(candidate_from_contract(template, LINEAGE))
        index.add(candidates[-1], len(candidates))
    while len(candidates) < count:
        parent = random.choice(contracts[-500:])
        child = MUTATIONS[random.choice(sorted(MUTATIONS))](parent, random)
        if child is None or index.repeats(child):
            continue
        contracts.append(child)
        candidates.append(candidate_from_contract(child, LINEAGE))
        index.add(candidates[-1], len(candidates))
    return candidates


def measure(work: Callable[[Candidate], object], judged: list[Candidate]) -> list[float]:
    """Return the milliseconds of each call, sorted."""
    times = []
    for candidate in judged:
        began = time.perf_counter()
        work(candidate)
        times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    count = parser.parse_args().count
    print(f"{machine()}\n")
    began = time.perf_counter()
    candidates = grow(count + JUDGED)
    seconds = time.perf_counter() - began
    archived, judged = candidates[:count], candidates[count:]
    for cache in (novelty.fingerprint, novelty._canonical):  # noqa: SLF001 - as for a new candidate
        cache.cache_clear()
    began = time.perf_counter()
    index = NoveltyIndex()
    for number, candidate in enumerate(archived, start=1):
        index.add(candidate, number)
    first = time.perf_counter() - began
    began = time.perf_counter()
    index = NoveltyIndex()
    for number, candidate in enumerate(archived, start=1):
        index.add(candidate, number)
    again = time.perf_counter() - began
    code = CodeIndex()
    before = rss_mib()
    for number, candidate in enumerate(archived, start=1):
        code.add(candidate.source, (candidate.hash, number))
    memory = rss_mib() - before

    def judge(candidate: Candidate) -> None:
        index.precedent(candidate)
        index.similarity(candidate)

    def nearest(candidate: Candidate) -> None:
        code.nearest(candidate.source)

    print(head(f"milliseconds, against {count:,} archived", "p50", "p95", "highest"))
    for name, work in (
        ("contract: repetition and similarity, its fingerprint included", judge),
        ("contract: similarity alone", index.similarity),
        ("code of 300 lines: its shape alone", lambda c: shape_of(c.source)),
        ("code of 300 lines: repetition and similarity, its shape included", nearest),
        ("code of 300 lines: similarity alone", nearest),
    ):
        times = measure(work, judged)
        cells = (percentile(times, 0.5), percentile(times, 0.95), times[-1])
        print(row(name, *(f"{value:.2f}" for value in cells)))
    print(f"\nmaking {count + JUDGED:,} novel candidates: {seconds:.1f} s")
    print(f"index of {count:,} contracts: {first:.1f} s at first, {again:.2f} s when remembered")
    print(f"index of {count:,} sources: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
