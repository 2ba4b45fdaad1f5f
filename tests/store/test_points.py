"""The registry of points on disk only grows; what older versions searched is in it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.suites.point_suite import a_point

from stratlab.domain.points import point_digest, registry_digest
from stratlab.domain.trial import TrialPurpose
from stratlab.store import open_repository

RELEASE = Path(__file__).parent / "data" / "release-0.1.0.db"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE points SET score = 1.0",
        "DELETE FROM points",
        (
            "INSERT INTO points SELECT campaign_id, 3, iteration, candidate, 'other', purpose,"
            " occasion, score, parameters FROM points"
        ),
        "INSERT OR REPLACE INTO points SELECT * FROM points",
        (
            "INSERT OR REPLACE INTO points SELECT campaign_id, 2, iteration, candidate, digest,"
            " purpose, occasion, score, parameters FROM points"
        ),
        (
            "INSERT OR IGNORE INTO points SELECT campaign_id, 2, iteration, candidate, digest,"
            " purpose, occasion, score, parameters FROM points"
        ),
    ],
    ids=["change", "removal", "gap", "replacement", "replacement by key", "repetition"],
)
def test_points_refuse_everything_but_growth(repository, database, statement):
    with repository.transaction() as transaction:
        transaction.register_points("c1", [a_point()])
    with closing(sqlite3.connect(database)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), connection:
            connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (1,)
    assert list(repository.points("c1")) == [a_point()]


def test_upgrade_registers_what_a_release_had_searched(tmp_path):
    home = tmp_path / "stratlab.db"
    home.write_bytes(RELEASE.read_bytes())
    with closing(open_repository(f"sqlite:///{home}")) as repository:
        for campaign in repository.list_campaigns():
            expected = {
                (iteration.number, iteration.candidate.hash, point_digest(result.spec.parameters))
                for iteration in repository.list_iterations(campaign.id)
                for result in iteration.results
            }
            points = repository.points(campaign.id)
            assert {(p.iteration, p.candidate, p.digest) for p in points} == expected
            assert repository.point_counts(campaign.id) == {TrialPurpose.SEARCH: len(expected)}
            assert len(points) == len(expected) > 0


def test_digest_of_the_migration_is_the_digest_of_the_code(tmp_path):
    # A migration is frozen, so it computes for itself what the code computes.
    home = tmp_path / "stratlab.db"
    home.write_bytes(RELEASE.read_bytes())
    open_repository(f"sqlite:///{home}").close()
    with closing(sqlite3.connect(home)) as connection:
        rows = connection.execute("SELECT digest, parameters FROM points").fetchall()
    assert rows
    assert all(digest == point_digest(json.loads(parameters)) for digest, parameters in rows)


def test_digest_of_a_registry_tells_every_difference():
    points = [a_point(1, score=0.5), a_point(2, score=0.25)]
    digests = {
        registry_digest(changed)
        for changed in (
            points,
            points[::-1],
            points[:1],
            [points[0], a_point(2, score=0.26)],
            [points[0], a_point(2, score=None)],
            [points[0], a_point(3, score=0.25)],
            [points[0], a_point(2, score=0.25, purpose=TrialPurpose.SCREEN)],
        )
    }
    assert len(digests) == 7
    assert registry_digest(points) == registry_digest(list(points))
