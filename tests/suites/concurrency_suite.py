"""What every implementation of the port ``Repository`` has to do when many use it at once."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from tests.suites.samples import a_campaign, a_lease, a_result, an_iteration

from stratlab.domain.errors import WrongStateError
from stratlab.domain.events import EventKind
from stratlab.domain.ports import Repository
from stratlab.store.audit import verify_audit

WRITERS = 20
WRITES_EACH = 25


def add_one(repository: Repository, campaign_id: str, note: str) -> None:
    """Add one to a campaign's iteration by read, modify, write; again until it is accepted."""
    while True:
        read = repository.get_campaign(campaign_id)
        try:
            with repository.transaction() as transaction:
                transaction.append_event(
                    campaign_id, datetime.now(UTC), EventKind.STATE_CHANGED, {"note": note}
                )
                transaction.save_campaign(replace(read, iteration=read.iteration + 1))
        except WrongStateError:
            time.sleep(random.random() * 0.01)
        else:
            return


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run ``work(0..count-1)`` at the same time and raise the first error."""
    errors: list[BaseException] = []
    ready = threading.Barrier(count)

    def guarded(number: int) -> None:
        try:
            ready.wait(timeout=30)
            work(number)
        except BaseException as error:  # noqa: BLE001 (raised below, in the test's thread)
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)


class ConcurrencySuite:
    """Conformance tests; one instance of the repository per test."""

    def test_leases_of_many_threads_have_distinct_user_ids(self, repository):
        leases = repository.leases()
        in_threads(WRITERS, lambda number: leases.acquire(a_lease(f"m{number}")))
        assert len({lease.uid for lease in leases.live()}) == WRITERS

    def test_request_id_of_many_threads_makes_one_campaign(self, repository):
        in_threads(8, lambda n: repository.create_campaign(a_campaign(f"c{n}"), "r1"))
        assert len(repository.list_campaigns()) == 1

    def test_read_modify_writes_of_twenty_threads_all_survive(self, repository):
        repository.create_campaign(a_campaign(), "")

        def work(number: int) -> None:
            for turn in range(WRITES_EACH):
                add_one(repository, "c1", f"{number}.{turn}")

        in_threads(WRITERS, work)
        total = WRITERS * WRITES_EACH
        assert repository.get_campaign("c1").iteration == total
        assert repository.get_campaign("c1").revision == total
        events = repository.events("c1", after=1, limit=2 * total)
        assert len({event.payload for event in events}) == total
        assert verify_audit(repository, "c1") == {"c1": total + 1}

    def test_readers_see_whole_transactions_only(self, repository):
        repository.create_campaign(a_campaign(), "")
        done = threading.Event()

        def write() -> None:
            try:
                for number in range(1, 31):
                    with repository.transaction() as transaction:
                        transaction.save_iteration(an_iteration(number=number))
                        transaction.save_result("c1", number, a_result(f"t{number}"))
            finally:
                done.set()

        def read() -> None:
            while not done.is_set():
                assert all(len(i.results) == 1 for i in repository.list_iterations("c1"))

        in_threads(4, lambda number: write() if number == 0 else read())
        assert len(repository.list_iterations("c1")) == 30
