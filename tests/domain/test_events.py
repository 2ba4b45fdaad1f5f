"""The audit chain."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.errors import AuditBrokenError
from stratlab.domain.events import Event, EventKind, canonical_json, next_event, verify_chain

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def chain(length: int) -> list[Event]:
    events: list[Event] = []
    for number in range(length):
        previous = events[-1] if events else None
        kind = EventKind.STATE_CHANGED
        events.append(next_event(previous, "c1", NOW, kind, {"step": number, "text": "ä"}))
    return events


def test_untouched_chain_verifies_and_returns_its_length() -> None:
    assert verify_chain(chain(5)) == 5
    assert verify_chain([]) == 0


@given(st.integers(0, 4), st.sampled_from(["payload", "previous_hash", "hash", "at", "kind"]))
def test_any_changed_field_breaks_the_chain(index: int, name: str) -> None:
    events = chain(5)
    other = {
        "payload": events[index].payload.replace('"step"', '"stop"'),
        "previous_hash": "f" * 64,
        "hash": "e" * 64,
        "at": NOW.replace(second=6),
        "kind": EventKind.VERDICT_REACHED,
    }[name]
    events[index] = replace(events[index], **{name: other})
    with pytest.raises(AuditBrokenError, match=f"event {index + 1} "):
        verify_chain(events)


@given(st.integers(0, 3))
def test_removed_event_breaks_the_chain(index: int) -> None:
    events = chain(5)
    del events[index]
    with pytest.raises(AuditBrokenError):
        verify_chain(events)


def test_exchanged_events_break_the_chain() -> None:
    events = chain(3)
    events[0], events[1] = events[1], events[0]
    with pytest.raises(AuditBrokenError):
        verify_chain(events)


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": float("nan")})
