"""The port ``Repository`` in memory, for tests of the code above the store."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from stratlab.domain.access import OWNER
from stratlab.domain.campaign import (
    Artifact,
    Campaign,
    CampaignState,
    HallOfFameEntry,
    HallOfFameTier,
    Iteration,
    Transition,
)
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    WrongStateError,
)
from stratlab.domain.events import GENESIS_HASH, Event, EventKind, next_event
from stratlab.domain.examination import Examination, HoldoutOpening, Subject
from stratlab.domain.points import Point
from stratlab.domain.ports import Lease
from stratlab.domain.spending import Spent
from stratlab.domain.trial import TrialPurpose, TrialResult
from stratlab.store.audit import AuditTrail
from stratlab.store.encoding import encode, to_tree
from stratlab.store.leases import choose_uid
from stratlab.store.point_log import require_storable


class _Tables:
    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.requests: dict[str, str] = {}
        self.iterations: dict[tuple[str, int], Iteration] = {}
        self.results: dict[tuple[str, int, str], TrialResult] = {}
        self.transitions: dict[tuple[str, int], Transition] = {}
        self.events: dict[str, tuple[Event, ...]] = {}
        self.points: dict[str, tuple[Point, ...]] = {}
        self.halls: dict[str, tuple[HallOfFameEntry, ...]] = {}
        self.examinations: dict[tuple[str, int], Examination] = {}
        self.openings: list[HoldoutOpening] = []
        self.leases: dict[str, Lease] = {}
        self.artifacts: dict[tuple[str, str], Artifact] = {}

    def snapshot(self) -> "_Tables":
        taken = _Tables()
        taken.__dict__ = {name: copy(table) for name, table in self.__dict__.items()}
        return taken


class MemoryRepository:
    """All rows in dictionaries; a transaction works on a copy that replaces them on commit."""

    def __init__(self) -> None:
        self._tables = _Tables()
        self._writer = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def _write(self) -> Iterator[_Tables]:
        if getattr(self._local, "writing", False):
            raise StoreError("this thread already has a write transaction open")
        with self._writer:
            self._local.writing = True
            try:
                tables = self._tables.snapshot()
                yield tables
                self._tables = tables
            finally:
                self._local.writing = False

    @contextmanager
    def transaction(self) -> Iterator["_MemoryTransaction"]:
        with self._write() as tables:
            yield _MemoryTransaction(tables)

    def create_campaign(
        self, campaign: Campaign, request_id: str, actor: str = OWNER.name
    ) -> Campaign:
        with self._write() as tables:
            earlier = tables.campaigns.get(tables.requests.get(request_id, ""))
            if request_id and earlier is not None:
                if earlier.spec != campaign.spec:
                    raise AlreadyExistsError(f"request id {request_id} was used")
                return earlier
            if campaign.id in tables.campaigns:
                raise AlreadyExistsError(f"campaign {campaign.id} exists already")
            encode(campaign)
            tables.campaigns[campaign.id] = campaign
            tables.requests[request_id] = campaign.id
            _MemoryTransaction(tables).append_event(
                campaign.id,
                campaign.created_at,
                EventKind.CAMPAIGN_CREATED,
                {
                    "state": campaign.state.value,
                    "data_digest": campaign.data_digest,
                    "spec": to_tree(campaign.spec),
                    "actor": actor,
                },
            )
        return campaign

    def get_campaign(self, campaign_id: str) -> Campaign:
        return _require(self._tables, campaign_id)

    def list_campaigns(self, *, after: str = "", limit: int = 50) -> Sequence[Campaign]:
        found = list(reversed(self._oldest_first()))
        if after:
            found = found[found.index(_require(self._tables, after)) + 1 :]
        return found[: _page(limit)]

    def unfinished_campaigns(self) -> Sequence[Campaign]:
        return [
            campaign
            for campaign in self._oldest_first()
            if not campaign.state.is_final and campaign.state is not CampaignState.PAUSED
        ]

    def _oldest_first(self) -> list[Campaign]:
        return sorted(self._tables.campaigns.values(), key=lambda c: (c.created_at, c.id))

    def get_iteration(self, campaign_id: str, number: int) -> Iteration:
        for iteration in self.list_iterations(campaign_id, after=number - 1, limit=1):
            if iteration.number == number:
                return iteration
        raise NotFoundError(f"iteration {number} of campaign {campaign_id} does not exist")

    def list_iterations(
        self, campaign_id: str, *, after: int = 0, limit: int = 1000
    ) -> Sequence[Iteration]:
        tables = self._tables
        numbers = sorted(n for c, n in tables.iterations if c == campaign_id and n > after)
        found = []
        for number in numbers[: _page(limit)]:
            results = [
                result
                for (campaign, iteration, _), result in tables.results.items()
                if (campaign, iteration) == (campaign_id, number)
            ]
            results.sort(key=lambda result: (result.spec.index, result.spec.trial_id))
            iteration = tables.iterations[campaign_id, number]
            found.append(replace(iteration, results=tuple(results)))
        return found

    def transitions(self, campaign_id: str) -> Sequence[Transition]:
        rows = self._tables.transitions
        return [rows[key] for key in sorted(rows) if key[0] == campaign_id]

    def events(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        found = self._tables.events.get(campaign_id, ())
        return found[after : after + _page(limit)]

    def points(self, campaign_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Point]:
        return self._tables.points.get(campaign_id, ())[after : after + _page(limit)]

    def point_counts(self, campaign_id: str) -> Mapping[TrialPurpose, int]:
        found = [point.purpose for point in self._tables.points.get(campaign_id, ())]
        return {purpose: found.count(purpose) for purpose in TrialPurpose if purpose in found}

    def hall_of_fame(self, campaign_id: str) -> Sequence[HallOfFameEntry]:
        return self._tables.halls.get(campaign_id, ())

    def examination(self, campaign_id: str, iteration: int) -> Examination | None:
        return self._tables.examinations.get((campaign_id, iteration))

    def examinations(self, campaign_id: str) -> Sequence[Examination]:
        rows = self._tables.examinations
        return [rows[key] for key in sorted(rows) if key[0] == campaign_id]

    def holdout_openings(
        self, *, campaign_id: str = "", data_set: str = ""
    ) -> Sequence[HoldoutOpening]:
        return [
            opening
            for opening in self._tables.openings
            if campaign_id in {"", opening.subject.campaign_id}
            and data_set in {"", opening.data_set}
        ]

    def leases(self) -> "_MemoryLeases":
        return _MemoryLeases(self)

    def ledger(self) -> "_NothingSpent":
        return _NothingSpent()

    def campaign_ids(self) -> Sequence[str]:
        return [campaign.id for campaign in self._oldest_first()]

    @contextmanager
    def audit_trail(self, campaign_id: str) -> Iterator[AuditTrail]:
        tables = self._tables
        _require(tables, campaign_id)
        events = tables.events.get(campaign_id, ())
        end = (events[-1].number, events[-1].hash) if events else (0, GENESIS_HASH)
        yield AuditTrail(*end, iter(events))

    def orphaned_events(self) -> Sequence[str]:
        return []

    def save_artifacts(self, stored: Sequence[Artifact]) -> None:
        with self._write() as tables:
            for artifact in stored:
                _require(tables, artifact.campaign_id)
                tables.artifacts[artifact.campaign_id, artifact.name] = artifact

    def artifact(self, campaign_id: str, name: str) -> Artifact | None:
        return self._tables.artifacts.get((campaign_id, name))

    def artifacts(self, campaign_id: str) -> Sequence[Artifact]:
        rows = self._tables.artifacts
        return [rows[key] for key in sorted(rows) if key[0] == campaign_id]

    def close(self) -> None:
        """Nothing is held."""


class _NothingSpent:
    # Nobody asks a model in tests with this repository; the ledger has tests of its own.
    def spent(self, campaign_id: str) -> Spent:
        return Spent()


class _MemoryTransaction:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def save_campaign(self, campaign: Campaign) -> Campaign:
        if _require(self._tables, campaign.id).revision != campaign.revision:
            raise WrongStateError(f"campaign {campaign.id} changed")
        saved = replace(campaign, revision=campaign.revision + 1)
        encode(saved)
        self._tables.campaigns[saved.id] = saved
        return saved

    def save_iteration(self, iteration: Iteration) -> None:
        _require(self._tables, iteration.campaign_id)
        stored = replace(iteration, results=())
        encode(stored)
        self._tables.iterations[iteration.campaign_id, iteration.number] = stored

    def save_result(self, campaign_id: str, iteration: int, result: TrialResult) -> None:
        self._require_iteration(campaign_id, iteration)
        stored = replace(result, fills=(), equity=(), benchmark_equity=())
        encode(stored)
        self._tables.results[campaign_id, iteration, result.spec.trial_id] = stored

    def save_hall_of_fame(self, campaign_id: str, entries: Sequence[HallOfFameEntry]) -> None:
        _require(self._tables, campaign_id)
        if any(entry.campaign_id != campaign_id for entry in entries):
            raise InvalidInputError("a hall of fame holds entries of its own campaign only")

        def rank(entry: HallOfFameEntry) -> Any:
            is_champion = entry.tier is HallOfFameTier.CHAMPION
            return (not is_champion, -entry.score, entry.iteration, entry.candidate_hash)

        self._tables.halls[campaign_id] = tuple(sorted(entries, key=rank))

    def append_transition(self, transition: Transition) -> None:
        _require(self._tables, transition.campaign_id)
        key = (transition.campaign_id, transition.number)
        if key in self._tables.transitions:
            raise WrongStateError(f"transition {transition.number} was made already")
        self._tables.transitions[key] = transition

    def append_event(
        self, campaign_id: str, at: datetime, kind: EventKind, payload: Mapping[str, object]
    ) -> Event:
        _require(self._tables, campaign_id)
        chain = self._tables.events.get(campaign_id, ())
        if at.tzinfo is None:
            raise InvalidInputError("an event needs a time with a zone")
        try:
            event = next_event(
                chain[-1] if chain else None, campaign_id, at.astimezone(UTC), kind, payload
            )
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"this event payload cannot be stored: {error}") from error
        self._tables.events[campaign_id] = (*chain, event)
        return event

    def save_examination(self, examination: Examination) -> None:
        subject = examination.subject
        self._require_iteration(subject.campaign_id, subject.iteration)
        encode(examination)
        self._tables.examinations[subject.campaign_id, subject.iteration] = examination

    def open_holdout(
        self,
        subject: Subject,
        *,
        data_set: str,
        data_digest: str,
        look: str,
        actor: str,
        at: datetime,
    ) -> HoldoutOpening:
        self._require_iteration(subject.campaign_id, subject.iteration)
        ledger = self._tables.openings
        before = [o for o in ledger if o.data_set == data_set or o.data_digest == data_digest]
        same = [o.looks for o in before if o.look == look]
        looks = min(same) if same else max([o.looks for o in before], default=0) + 1
        opening = HoldoutOpening(
            len(ledger) + 1, data_set, data_digest, subject, look, looks, actor, at
        )
        self._tables.openings = [*ledger, opening]
        return opening

    def _require_iteration(self, campaign_id: str, iteration: int) -> None:
        if (campaign_id, iteration) not in self._tables.iterations:
            raise NotFoundError(f"iteration {iteration} of campaign {campaign_id} does not exist")

    def register_points(self, campaign_id: str, points: Sequence[Point]) -> int:
        _require(self._tables, campaign_id)
        require_storable(campaign_id, points)
        before = self._tables.points.get(campaign_id, ())
        known = {point.key for point in before}
        new = {point.key: point for point in points if point.key not in known}
        self._tables.points[campaign_id] = (*before, *new.values())
        return len(new)


class _MemoryLeases:
    def __init__(self, repository: MemoryRepository) -> None:
        self._repository = repository

    def acquire(self, lease: Lease) -> Lease:
        with self._repository._write() as tables:
            if lease.member_id in tables.leases:
                raise AlreadyExistsError(f"container {lease.member_id} has a lease already")
            acquired = replace(
                lease, uid=choose_uid({other.uid for other in tables.leases.values()})
            )
            tables.leases[lease.member_id] = acquired
        return acquired

    def assign(self, member_id: str, campaign_id: str, deadline: datetime) -> None:
        with self._repository._write() as tables:
            if member_id in tables.leases:
                tables.leases[member_id] = replace(
                    tables.leases[member_id], campaign_id=campaign_id, deadline=deadline
                )

    def release(self, member_id: str) -> None:
        with self._repository._write() as tables:
            tables.leases.pop(member_id, None)

    def live(self) -> Sequence[Lease]:
        leases = self._repository._tables.leases.values()
        return sorted(leases, key=lambda lease: (lease.deadline, lease.member_id))


def _require(tables: _Tables, campaign_id: str) -> Campaign:
    if campaign_id not in tables.campaigns:
        raise NotFoundError(f"campaign {campaign_id} does not exist")
    return tables.campaigns[campaign_id]


def _page(limit: int) -> int:
    if limit < 1:
        raise InvalidInputError("a page needs at least one row")
    return limit
