"""The holdout ledger on disk only grows; champions that nobody examined are archived."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.suites.examination_suite import SUBJECT, an_opening
from tests.suites.samples import START, an_iteration

from stratlab.domain.campaign import HallOfFameTier
from stratlab.store import open_repository

RELEASE = Path(__file__).parent / "data" / "release-0.1.0.db"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holdout_openings SET looks = 0",
        "DELETE FROM holdout_openings",
        (
            "INSERT INTO holdout_openings SELECT 3, data_set, data_digest, campaign_id, iteration,"
            " look, looks, document FROM holdout_openings"
        ),
        "INSERT OR REPLACE INTO holdout_openings SELECT * FROM holdout_openings",
    ],
    ids=["change", "removal", "gap", "replacement"],
)
def test_ledger_refuses_everything_but_growth(repository, database, statement):
    with repository.transaction() as transaction:
        transaction.save_iteration(an_iteration())
        transaction.open_holdout(
            SUBJECT, data_set="us-daily", data_digest="d" * 64, look="l", actor="", at=START
        )
    with closing(sqlite3.connect(database)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), connection:
            connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM holdout_openings").fetchone() == (1,)
    assert list(repository.holdout_openings()) == [an_opening()]


def test_upgrade_archives_what_an_ended_campaign_never_examined(tmp_path):
    home = tmp_path / "stratlab.db"
    home.write_bytes(RELEASE.read_bytes())
    with closing(open_repository(f"sqlite:///{home}")) as repository:
        working, ended = repository.list_campaigns()
        entries = repository.hall_of_fame(ended.id)
        assert entries
        assert {entry.tier for entry in entries} == {HallOfFameTier.ARCHIVE}
        # A campaign that goes on puts its entries to the test itself.
        goes_on = repository.hall_of_fame(working.id)
        assert goes_on[0].tier is HallOfFameTier.CHAMPION
        assert all(entry.provisional for entry in (*entries, *goes_on))
    with closing(sqlite3.connect(home)) as connection:
        rows = connection.execute("SELECT tier, document FROM hall_of_fame").fetchall()
    assert all(json.loads(document)["tier"] == tier for tier, document in rows)
