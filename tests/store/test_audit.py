"""Whoever changes a stored event is found out."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.samples import START, a_campaign

from stratlab.domain.errors import AuditBrokenError
from stratlab.domain.events import EventKind, event_hash
from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

EVENTS = 9
COLUMNS = ("at", "kind", "payload", "previous_hash", "hash", "campaign_id")
TRIGGERS = ("events_refuse_update", "events_refuse_delete", "events_refuse_gap")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("audit") / "original.db"
    repository = open_repository(f"sqlite:///{path}")
    repository.create_campaign(a_campaign(), "")
    with repository.transaction() as transaction:
        for number in range(2, EVENTS + 1):
            payload = {"trial": f"trial-{number}", "price": 0.1 * number, "text": "\u00e4\u2028"}
            transaction.append_event("c1", START, EventKind.TRIAL_FINISHED, payload)
    repository.close()
    return path


@pytest.fixture
def tampered(original, tmp_path):
    """A copy whose triggers are gone."""
    path = tmp_path / "tampered.db"
    return copy_without_triggers(original, path)


def copy_without_triggers(original, path):
    shutil.copyfile(original, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
    return path


def tamper(path, statement, *arguments):
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, arguments).rowcount >= 1


def verify(path):
    repository = open_repository(f"sqlite:///{path}")
    try:
        return verify_audit(repository)
    finally:
        repository.close()


def test_chain_untouched_verifies_with_and_without_triggers(original, tampered):
    assert verify(original) == verify(tampered) == {"c1": EVENTS}


@given(data=st.data())
def test_event_with_one_byte_changed_is_found(original, tmp_path_factory, data):
    path = copy_without_triggers(original, tmp_path_factory.mktemp("flip") / "flipped.db")
    number = data.draw(st.integers(1, EVENTS), label="event")
    column = data.draw(st.sampled_from(COLUMNS), label="column")
    with closing(sqlite3.connect(path)) as connection, connection:
        query = f"SELECT CAST({column} AS BLOB) FROM events WHERE number = ?"  # noqa: S608 (our own column names)
        content = bytearray(connection.execute(query, (number,)).fetchone()[0])
        place = data.draw(st.integers(0, len(content) - 1), label="place")
        content[place] ^= data.draw(st.integers(1, 255), label="mask")
        change = f"UPDATE events SET {column} = CAST(? AS TEXT) WHERE number = ?"  # noqa: S608 (as above)
        connection.execute(change, (bytes(content), number))
    with pytest.raises(AuditBrokenError) as caught:
        verify(path)
    if column != "campaign_id":  # then it is missing from its chain
        assert caught.value.data["event"] == str(number)


@given(number=st.integers(1, EVENTS), bit=st.integers(0, 62))
def test_event_with_one_bit_of_its_number_changed_is_found(original, tmp_path_factory, number, bit):
    changed = number ^ (1 << bit)
    path = copy_without_triggers(original, tmp_path_factory.mktemp("number") / "flipped.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE number = ?", (changed,))
        connection.execute("UPDATE events SET number = ? WHERE number = ?", (changed, number))
    with pytest.raises(AuditBrokenError):
        verify(path)


@pytest.mark.parametrize("number", range(1, EVENTS + 1))
def test_hash_changed_anywhere_in_the_file_is_found(original, tmp_path, number):
    with closing(sqlite3.connect(original)) as connection:
        query = "SELECT hash FROM events WHERE number = ?"
        digest = connection.execute(query, (number,)).fetchone()[0].encode()
    content = original.read_bytes()
    # In the event itself, and in the next event or in the campaign's record of the end.
    assert content.count(digest) == 2
    place = -1
    for copy in range(2):
        place = content.index(digest, place + 1)
        changed = bytearray(content)
        changed[place + 40] ^= 1
        path = tmp_path / f"changed{copy}.db"
        path.write_bytes(changed)
        with pytest.raises(AuditBrokenError):
            verify(path)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("DELETE FROM events WHERE number = 9", 9),
        ("DELETE FROM events WHERE number > 5", 6),
        ("DELETE FROM events WHERE number = 4", 5),
        ("DELETE FROM events", 1),
        ("UPDATE campaigns SET event_number = 8", 9),
        ("UPDATE campaigns SET event_hash = upper(event_hash)", 9),
        ("UPDATE events SET at = replace(at, 'T', ' ') WHERE number = 3", 3),
        ("UPDATE events SET at = replace(at, '+00:00', 'Z') WHERE number = 3", 3),
        ("UPDATE events SET payload = CAST(payload AS BLOB) WHERE number = 3", 3),
        ("UPDATE events SET kind = 'verdict_reached' WHERE number = 3", 3),
    ],
)
def test_change_by_hand_is_found_and_named(tampered, statement, first_bad):
    tamper(tampered, statement)
    with pytest.raises(AuditBrokenError) as caught:
        verify(tampered)
    assert caught.value.data == {"campaign": "c1", "event": str(first_bad)}


def test_last_event_forged_with_a_right_hash_is_found(tampered):
    with closing(sqlite3.connect(tampered)) as connection:
        query = "SELECT previous_hash FROM events WHERE number = ?"
        (previous,) = connection.execute(query, (EVENTS,)).fetchone()
    forged = event_hash("c1", EVENTS, START, "trial_finished", "{}", previous)
    tamper(tampered, "UPDATE events SET payload = '{}', hash = ? WHERE number = ?", forged, EVENTS)
    with pytest.raises(AuditBrokenError, match="is not the one its campaign recorded last"):
        verify(tampered)


def test_event_added_by_hand_is_found(tampered):
    with closing(sqlite3.connect(tampered)) as connection:
        (last,) = connection.execute("SELECT event_hash FROM campaigns").fetchone()
    forged = event_hash("c1", EVENTS + 1, START, "trial_finished", "{}", last)
    tamper(
        tampered,
        "INSERT INTO events VALUES ('c1', ?, ?, 'trial_finished', '{}', ?, ?)",
        EVENTS + 1,
        START.isoformat(),
        last,
        forged,
    )
    with pytest.raises(AuditBrokenError, match="was never recorded"):
        verify(tampered)


def test_campaign_removed_from_under_its_events_is_found(tampered):
    tamper(tampered, "DELETE FROM campaigns")
    with pytest.raises(AuditBrokenError, match="belongs to no campaign"):
        verify(tampered)


def test_chain_whose_end_was_cut_off_is_not_continued(tampered):
    tamper(tampered, "DELETE FROM events WHERE number = ?", EVENTS)
    repository = open_repository(f"sqlite:///{tampered}")
    with pytest.raises(AuditBrokenError), repository.transaction() as transaction:
        transaction.append_event("c1", START, EventKind.STATE_CHANGED, {})
    repository.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = '{}' WHERE number = 1",
        "DELETE FROM events WHERE number = 9",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE number = 9",
        "REPLACE INTO events SELECT campaign_id, 11, at, kind, payload, hash, hash FROM events",
    ],
)
def test_events_refuse_change_removal_and_gaps(original, tmp_path, statement):
    path = tmp_path / "guarded.db"
    shutil.copyfile(original, path)
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)
    assert verify(path) == {"c1": EVENTS}


def test_events_have_no_second_key_to_replace_them_by(original):
    with (
        closing(sqlite3.connect(original)) as connection,
        pytest.raises(sqlite3.OperationalError, match="rowid"),
    ):
        connection.execute("SELECT rowid FROM events")
