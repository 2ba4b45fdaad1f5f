"""A process that writes to a store: ``python -m tests.store.writer URL COUNT NOTE``.

Prints the number of each write after its commit; COUNT 0 writes until it is killed.
"""

import itertools
import sys

from tests.suites.concurrency_suite import add_one

from stratlab.store import open_repository


def main(url: str, count: int, note: str) -> None:
    repository = open_repository(url)
    print("ready", flush=True)
    for turn in range(count) if count else itertools.count():
        add_one(repository, "c1", f"{note}.{turn}")
        print(turn + 1, flush=True)
    repository.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
