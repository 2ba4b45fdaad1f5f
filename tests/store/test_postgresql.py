"""The repository on PostgreSQL passes the suites of the others, in a schema of its own."""

from uuid import uuid4

import pytest
import sqlalchemy
from tests.suites.concurrency_suite import ConcurrencySuite
from tests.suites.examination_suite import ExaminationSuite
from tests.suites.point_suite import PointSuite, a_point
from tests.suites.repository_suite import RepositorySuite
from tests.suites.samples import a_campaign

from stratlab.settings import load_settings
from stratlab.store import open_repository

pytestmark = pytest.mark.postgres

URL = load_settings().store.url
if not URL.startswith("postgresql"):
    pytest.skip(
        "missing: a PostgreSQL server (set STRATLAB_STORE__URL=postgresql+psycopg://...)",
        allow_module_level=True,
    )


@pytest.fixture
def store_url():
    # Nothing that the server holds is touched: every test has a schema that is dropped again.
    schema = f"stratlab_test_{uuid4().hex}"
    server = sqlalchemy.create_engine(URL)
    with server.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    own = sqlalchemy.make_url(URL).update_query_dict({"options": f"-csearch_path={schema}"})
    yield own.render_as_string(hide_password=False)
    with server.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    server.dispose()


class TestPostgresqlRepository(RepositorySuite, PointSuite, ExaminationSuite, ConcurrencySuite):
    @pytest.fixture
    def repository(self, store_url):
        repository = open_repository(store_url)
        yield repository
        repository.close()


def test_points_on_postgresql_refuse_change_removal_gaps_and_repetition(store_url):
    repository = open_repository(store_url)
    repository.create_campaign(a_campaign(), "")
    with repository.transaction() as transaction:
        transaction.register_points("c1", [a_point()])
    repository.close()
    server = sqlalchemy.create_engine(store_url)
    for statement in (
        "UPDATE points SET score = 1",
        "DELETE FROM points",
        "TRUNCATE points",
        (
            "INSERT INTO points SELECT campaign_id, 3, iteration, candidate, 'other', purpose,"
            " occasion, score, parameters FROM points"
        ),
        (
            "INSERT INTO points SELECT campaign_id, 2, iteration, candidate, digest, purpose,"
            " occasion, score, parameters FROM points"
        ),
    ):
        with pytest.raises(sqlalchemy.exc.DBAPIError), server.begin() as connection:
            connection.exec_driver_sql(statement)
    server.dispose()


def test_events_on_postgresql_refuse_change_removal_and_gaps(store_url):
    repository = open_repository(store_url)
    repository.create_campaign(a_campaign(), "")
    repository.close()
    server = sqlalchemy.create_engine(store_url)
    for statement in (
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events SELECT campaign_id, 3, at, kind, payload, hash, hash FROM events",
    ):
        with (
            pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"),
            server.begin() as connection,
        ):
            connection.exec_driver_sql(statement)
    server.dispose()
