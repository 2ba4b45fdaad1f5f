"""Milliseconds to read, check, compile and explain a contract.

Run as ``python -m benchmarks.contract``. Every contract is new to the process: the caches of the
rule language are emptied before each, as they are for a generator that never repeats itself.
"""

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.support.figures import machine, percentile
from tests.contract.random_contracts import LONGER, random_contract

from stratlab.contract.document import canonical_json, contract_hash, load_contract
from stratlab.contract.explanation import explain
from stratlab.contract.language import parse_rule
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation import load_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RANDOM = 200
ROUNDS = 5


def main() -> None:
    """Print the table."""
    groups = {
        "templates": list(load_templates().values()),
        "random": [random_contract(seed) for seed in range(RANDOM)],
        "longer timeframes": [random_contract(seed, longer=LONGER) for seed in range(RANDOM)],
    }
    print(machine())
    print("\n| processor time per contract, milliseconds | p50 | p95 | max | wanted |")
    print("|---|---:|---:|---:|---:|")
    for name, contracts in groups.items():
        size = f"{name}, {len(contracts)}"
        texts = [canonical_json(contract) for contract in contracts]
        print(row(f"parse and check, {size}", measured(load_contract, texts), 2))
        print(row(f"compile to zipline, {size}", measured(compile_to_zipline, contracts), 5))
        print(row(f"explain, {size}", measured(explain, contracts)))
        print(row(f"hash, {size}", measured(contract_hash, contracts)))


def measured(work: "Callable[[Any], object]", inputs: "Iterable[Any]") -> list[float]:
    """Return for each input the median milliseconds of several rounds."""
    found = []
    for each in inputs:
        rounds = []
        for _ in range(ROUNDS):
            parse_rule.cache_clear()
            start = time.process_time()
            work(each)
            rounds.append((time.process_time() - start) * 1000)
        found.append(statistics.median(rounds))
    return found


def row(name: str, values: list[float], wanted: float | None = None) -> str:
    """Return a line of the table; the goal is for the p95."""
    p95 = percentile(values, 0.95)
    cells = [f"{value:.2f}" for value in (percentile(values, 0.5), p95, max(values))]
    goal = "" if wanted is None else f"p95 < {wanted}: {'met' if p95 < wanted else 'missed'}"
    return f"| {name} | {' | '.join(cells)} | {goal} |"


if __name__ == "__main__":
    main()
