"""Computed once, and bounded."""

from concurrent.futures import ThreadPoolExecutor

from stratlab.search.memory import Memory


def test_value_is_computed_once_and_the_oldest_goes_first() -> None:
    memory: Memory[int] = Memory(kept=2)
    computed = []

    def value(key: int) -> int:
        def compute() -> int:
            computed.append(key)
            return 10 * key

        return memory.get(key, compute)

    assert [value(key) for key in (1, 2, 1, 3, 2, 1)] == [10, 20, 10, 30, 20, 10]
    assert computed == [1, 2, 3, 1]


def test_threads_share_a_memory_that_overflows() -> None:
    memory: Memory[int] = Memory(kept=5)

    def ask(start: int) -> bool:
        return all(
            memory.get(key, lambda key=key: key + 1) == key + 1 for key in range(start, 2000)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(8)))
