"""What every implementation of the port ``Repository`` has to do.

A test module derives from :class:`RepositorySuite` and gives the fixture ``repository``.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from tests.suites.samples import START, a_campaign, a_hall_entry, a_lease, a_result, an_iteration

from stratlab.domain.campaign import (
    Artifact,
    CampaignState,
    HallOfFameTier,
    Transition,
)
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    WrongStateError,
)
from stratlab.domain.events import EventKind, verify_chain
from stratlab.domain.trial import Outcome
from stratlab.store.audit import verify_audit


class RepositorySuite:
    """Conformance tests; one instance of the repository per test."""

    def test_campaign_created_is_returned_and_stored_with_its_first_event(self, repository):
        campaign = repository.create_campaign(a_campaign(), "r1")
        assert campaign == a_campaign()
        assert repository.get_campaign("c1") == campaign
        events = repository.events("c1")
        assert [(e.number, e.kind) for e in events] == [(1, EventKind.CAMPAIGN_CREATED)]
        assert events[0].at == campaign.created_at
        assert '"display_name":"pilot"' in events[0].payload
        assert '"actor":"owner"' in events[0].payload
        repository.create_campaign(a_campaign("c2"), "r2", actor="alice")
        assert '"actor":"alice"' in repository.events("c2")[0].payload

    def test_request_id_repeated_returns_the_first_campaign(self, repository):
        first = repository.create_campaign(a_campaign("c1"), "r1")
        again = repository.create_campaign(a_campaign("c2", minutes=5), "r1")
        assert again == first
        assert len(repository.list_campaigns()) == 1
        assert len(repository.events("c1")) == 1

    def test_request_id_with_another_spec_is_refused(self, repository):
        repository.create_campaign(a_campaign("c1"), "r1")
        with pytest.raises(AlreadyExistsError):
            repository.create_campaign(a_campaign("c2", display_name="other"), "r1")
        assert len(repository.list_campaigns()) == 1

    def test_request_id_empty_never_matches(self, repository):
        repository.create_campaign(a_campaign("c1"), "")
        repository.create_campaign(a_campaign("c2"), "")
        assert len(repository.list_campaigns()) == 2

    def test_campaign_id_taken_is_refused(self, repository):
        repository.create_campaign(a_campaign("c1"), "r1")
        with pytest.raises(AlreadyExistsError):
            repository.create_campaign(a_campaign("c1"), "r2")
        assert len(repository.events("c1")) == 1

    def test_campaign_unknown_is_not_found(self, repository):
        with pytest.raises(NotFoundError):
            repository.get_campaign("none")

    def test_campaigns_listed_newest_first_in_pages_without_gap_or_repeat(self, repository):
        # Two created in the same microsecond must not hide each other at the edge of a page.
        for number in range(7):
            repository.create_campaign(a_campaign(f"c{number}", minutes=number // 2), "")
        seen: list[str] = []
        while page := repository.list_campaigns(after=seen[-1] if seen else "", limit=3):
            assert len(page) <= 3
            seen += [campaign.id for campaign in page]
        assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]

    def test_page_without_start_or_size_is_refused(self, repository):
        with pytest.raises(NotFoundError):
            repository.list_campaigns(after="none")
        for limit in (0, -1):
            with pytest.raises(InvalidInputError):
                repository.list_campaigns(limit=limit)

    def test_unfinished_campaigns_are_those_that_work_oldest_first(self, repository):
        for number, state in enumerate(CampaignState):
            repository.create_campaign(a_campaign(f"c{number}", state=state, minutes=-number), "")
        states = [campaign.state for campaign in repository.unfinished_campaigns()]
        working = [s for s in CampaignState if not s.is_final and s is not CampaignState.PAUSED]
        assert states == working[::-1]

    def test_campaign_saved_gets_the_next_revision(self, repository):
        campaign = repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            once = transaction.save_campaign(replace(campaign, state=CampaignState.PAUSED))
            twice = transaction.save_campaign(replace(once, result_hash="h"))
        assert (once.revision, twice.revision) == (1, 2)
        assert repository.get_campaign("c1") == twice
        assert repository.unfinished_campaigns() == []

    def test_campaign_saved_from_an_old_revision_is_refused_and_changes_nothing(self, repository):
        campaign = repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            newer = transaction.save_campaign(replace(campaign, iteration=1))
        with pytest.raises(WrongStateError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
            transaction.append_event("c1", START, EventKind.STATE_CHANGED, {})
            transaction.save_campaign(replace(campaign, iteration=9))
        assert repository.get_campaign("c1") == newer
        assert len(repository.events("c1")) == 1

    def test_writes_for_an_unknown_campaign_are_not_found(self, repository):
        writes: list[Callable[..., object]] = [
            lambda t: t.save_campaign(a_campaign("none")),
            lambda t: t.save_iteration(an_iteration("none")),
            lambda t: t.save_result("none", 1, a_result()),
            lambda t: t.save_hall_of_fame("none", []),
            lambda t: t.append_event("none", START, EventKind.STATE_CHANGED, {}),
            lambda t: t.append_transition(
                Transition("none", 1, CampaignState.QUEUED, CampaignState.PAUSED, "USER", START)
            ),
        ]
        for write in writes:
            with pytest.raises(NotFoundError), repository.transaction() as transaction:
                write(transaction)
        with pytest.raises(NotFoundError):
            repository.save_artifacts([Artifact("none", "a", "text/plain", 1, "0" * 64)])

    def test_transaction_that_fails_leaves_nothing(self, repository):
        campaign = repository.create_campaign(a_campaign(), "")
        with pytest.raises(ZeroDivisionError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
            transaction.save_campaign(replace(campaign, iteration=1))
            transaction.save_iteration(an_iteration())
            transaction.save_result("c1", 1, a_result())
            transaction.append_event("c1", START, EventKind.ITERATION_STARTED, {})
            transaction.save_hall_of_fame("c1", [a_hall_entry("a", 1.0, HallOfFameTier.ARCHIVE)])
            _ = 1 / 0
        assert repository.get_campaign("c1") == campaign
        assert repository.list_iterations("c1") == []
        assert len(repository.events("c1")) == 1
        assert list(repository.hall_of_fame("c1")) == []

    def test_transaction_is_invisible_until_it_is_left(self, repository):
        campaign = repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            saved = transaction.save_campaign(replace(campaign, iteration=1))
            assert repository.get_campaign("c1") == campaign
        assert repository.get_campaign("c1") == saved

    def test_transaction_inside_a_transaction_is_refused_at_once(self, repository):
        repository.create_campaign(a_campaign(), "")
        refused = pytest.raises(StoreError, match="already has")  # and not after a wait for itself
        with refused, repository.transaction(), repository.transaction():
            pytest.fail("the second transaction was opened")
        with repository.transaction() as transaction:  # and the first one let go
            transaction.save_iteration(an_iteration())

    def test_iteration_returns_as_saved_with_results_in_trial_order(self, repository):
        repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            transaction.save_iteration(an_iteration())
            for index in (10, 2, 0, 9):
                transaction.save_result("c1", 1, a_result(f"t{index}", index))
        stored = repository.get_iteration("c1", 1)
        assert replace(stored, results=()) == an_iteration()
        assert [result.spec.index for result in stored.results] == [0, 2, 9, 10]
        bare = replace(a_result("t0", 0), fills=(), equity=(), benchmark_equity=())
        assert stored.results[0] == bare
        parameters = stored.results[0].spec.parameters
        assert [type(value) for value in parameters.values()] == [int, float]

    def test_iteration_and_result_saved_again_are_replaced(self, repository):
        repository.create_campaign(a_campaign(), "")
        for attempt, outcome in ((1, Outcome.LOST), (2, Outcome.SUCCEEDED)):
            with repository.transaction() as transaction:
                transaction.save_iteration(replace(an_iteration(), patch=f"patch {attempt}"))
                transaction.save_result(
                    "c1", 1, replace(a_result(attempt=attempt), outcome=outcome)
                )
        stored = repository.get_iteration("c1", 1)
        assert stored.patch == "patch 2"
        assert [(r.attempt, r.outcome) for r in stored.results] == [(2, Outcome.SUCCEEDED)]

    def test_result_of_an_unknown_iteration_is_not_found(self, repository):
        repository.create_campaign(a_campaign(), "")
        with pytest.raises(NotFoundError), repository.transaction() as transaction:
            transaction.save_result("c1", 1, a_result())

    def test_iterations_listed_in_pages_in_order(self, repository):
        repository.create_campaign(a_campaign("c1"), "")
        repository.create_campaign(a_campaign("c2"), "")
        with repository.transaction() as transaction:
            for number in range(12, 0, -1):
                transaction.save_iteration(an_iteration("c1", number))
                transaction.save_result("c1", number, a_result(f"t{number}"))
            transaction.save_iteration(an_iteration("c2", 1))
        page = repository.list_iterations("c1", after=9, limit=2)
        assert [iteration.number for iteration in page] == [10, 11]
        assert [i.results[0].spec.trial_id for i in page] == ["t10", "t11"]
        assert len(repository.list_iterations("c1")) == 12
        assert repository.list_iterations("c1", after=12) == []

    def test_iteration_unknown_is_not_found(self, repository):
        repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            transaction.save_iteration(an_iteration(number=3))
        for number in (0, 2, 4):
            with pytest.raises(NotFoundError):
                repository.get_iteration("c1", number)

    def test_transitions_return_in_order_and_none_is_made_twice(self, repository):
        repository.create_campaign(a_campaign(), "")
        steps = [
            Transition("c1", 1, CampaignState.QUEUED, CampaignState.PAUSED, "USER", START),
            Transition("c1", 2, CampaignState.PAUSED, CampaignState.QUEUED, "USER", START),
        ]
        with repository.transaction() as transaction:
            for step in steps:
                transaction.append_transition(step)
        assert list(repository.transitions("c1")) == steps
        with pytest.raises(WrongStateError), repository.transaction() as transaction:
            transaction.append_transition(steps[1])

    def test_events_form_a_verified_chain_in_pages(self, repository):
        repository.create_campaign(a_campaign(), "")
        with repository.transaction() as transaction:
            returned = [
                transaction.append_event(
                    "c1", START, EventKind.TRIAL_STARTED, {"trial": n, "x": 0.1}
                )
                for n in range(9)
            ]
        assert [event.number for event in returned] == list(range(2, 11))
        events = list(repository.events("c1"))
        assert events[1:] == returned
        assert verify_chain(events) == 10
        assert list(repository.events("c1", after=4, limit=3)) == events[4:7]
        assert list(repository.events("c1", after=10)) == []

    def test_event_time_is_stored_in_utc(self, repository):
        repository.create_campaign(a_campaign(), "")
        tokyo = START.astimezone(timezone(timedelta(hours=9)))
        with repository.transaction() as transaction:
            event = transaction.append_event("c1", tokyo, EventKind.STATE_CHANGED, {})
        assert event.at.isoformat() == START.isoformat()
        assert repository.events("c1")[1] == event

    @pytest.mark.parametrize(
        ("at", "payload"),
        [
            (START.replace(tzinfo=None), {}),
            (START, {"x": float("nan")}),
            (START, {"x": "\ud800"}),
            (START, {"x": object()}),
        ],
        ids=["naive time", "nan", "lone surrogate", "no json"],
    )
    def test_event_that_cannot_be_stored_is_refused(self, repository, at, payload):
        repository.create_campaign(a_campaign(), "")
        with pytest.raises(InvalidInputError), repository.transaction() as transaction:
            transaction.append_event("c1", at, EventKind.STATE_CHANGED, payload)
        assert len(repository.events("c1")) == 1

    def test_document_that_could_not_be_read_back_is_refused(self, repository):
        repository.create_campaign(a_campaign(), "")
        bad = [
            replace(a_result(), max_leverage=float("inf")),
            replace(a_result(), output_tail="\ud800"),
        ]
        for result in bad:
            with pytest.raises(InvalidInputError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
                transaction.save_iteration(an_iteration())
                transaction.save_result("c1", 1, result)
        assert repository.list_iterations("c1") == []

    def test_text_with_nul_and_line_separators_returns_unchanged(self, repository):
        repository.create_campaign(a_campaign(), "")
        text = "a\x00b\u2028c\r\n\U0001f4c8"
        with repository.transaction() as transaction:
            transaction.save_iteration(replace(an_iteration(), patch=text))
            transaction.append_event("c1", START, EventKind.STATE_CHANGED, {"text": text})
        assert repository.get_iteration("c1", 1).patch == text
        assert verify_audit(repository, "c1") == {"c1": 2}

    def test_hall_of_fame_has_the_champion_first_then_the_best_score(self, repository):
        repository.create_campaign(a_campaign(), "")
        entries = [
            a_hall_entry("a", 0.5, HallOfFameTier.ARCHIVE),
            a_hall_entry("b", 0.6, HallOfFameTier.CHAMPION),
            a_hall_entry("c", 0.9, HallOfFameTier.CONTENDER),
            a_hall_entry("d", 0.7, HallOfFameTier.CONTENDER),
        ]
        with repository.transaction() as transaction:
            transaction.save_hall_of_fame("c1", entries)
        assert [e.candidate_hash for e in repository.hall_of_fame("c1")] == ["b", "c", "d", "a"]
        with repository.transaction() as transaction:
            transaction.save_hall_of_fame("c1", entries[:1])
        assert list(repository.hall_of_fame("c1")) == entries[:1]

    def test_hall_of_fame_entry_of_another_campaign_is_refused(self, repository):
        repository.create_campaign(a_campaign(), "")
        foreign = a_hall_entry("a", 0.5, HallOfFameTier.ARCHIVE, campaign_id="c2")
        with pytest.raises(InvalidInputError), repository.transaction() as transaction:
            transaction.save_hall_of_fame("c1", [foreign])

    def test_lease_gets_a_user_id_of_its_own_and_returns_it_on_release(self, repository):
        leases = repository.leases()
        first, second = leases.acquire(a_lease("m1", minutes=2)), leases.acquire(a_lease("m2"))
        assert first.uid != second.uid
        assert first.uid > 65535
        assert replace(first, uid=0) == a_lease("m1", minutes=2)
        assert leases.live() == [second, first]
        later = first.deadline + timedelta(hours=1)
        for _ in range(2):
            leases.assign("m1", "c7", later)
        leases.assign("gone", "c7", later)
        assert leases.live() == [second, replace(first, campaign_id="c7", deadline=later)]
        leases.release("m1")
        leases.release("m1")
        assert leases.live() == [second]
        assert leases.acquire(a_lease("m3")).uid == first.uid

    def test_lease_of_the_same_member_is_refused(self, repository):
        repository.leases().acquire(a_lease("m1"))
        with pytest.raises(AlreadyExistsError):
            repository.leases().acquire(a_lease("m1"))
        assert len(repository.leases().live()) == 1

    def test_artifact_rows_are_replaced_by_name_and_sorted(self, repository):
        repository.create_campaign(a_campaign(), "")
        rows = [
            Artifact("c1", name, "application/json", size, "0" * 64)
            for name, size in (("b.json", 1), ("B.json", 2), ("a/c.json", 3), ("b.json", 4))
        ]
        repository.save_artifacts(rows[:1])
        repository.save_artifacts(rows[1:])
        found = [(artifact.name, artifact.size_bytes) for artifact in repository.artifacts("c1")]
        assert found == [("B.json", 2), ("a/c.json", 3), ("b.json", 4)]
        assert list(repository.artifacts("c2")) == []

    def test_audit_counts_the_events_of_every_campaign(self, repository):
        for number in (1, 2):
            repository.create_campaign(a_campaign(f"c{number}"), "")
        with repository.transaction() as transaction:
            for _ in range(1200):  # more than one page
                transaction.append_event("c2", START, EventKind.TRIAL_STARTED, {})
        assert verify_audit(repository) == {"c1": 1, "c2": 1201}
        assert verify_audit(repository, "c1") == {"c1": 1}
        with pytest.raises(NotFoundError):
            verify_audit(repository, "none")
