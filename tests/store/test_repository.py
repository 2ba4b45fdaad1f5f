"""The repository in memory and the one on SQLite pass the same suites."""

import pytest
from tests.suites.concurrency_suite import ConcurrencySuite
from tests.suites.examination_suite import ExaminationSuite
from tests.suites.memory_repository import MemoryRepository
from tests.suites.point_suite import PointSuite
from tests.suites.repository_suite import RepositorySuite

from stratlab.domain.errors import StoreError
from stratlab.store import open_repository


class TestMemoryRepository(RepositorySuite, PointSuite, ExaminationSuite, ConcurrencySuite):
    @pytest.fixture
    def repository(self):
        return MemoryRepository()


class TestSqliteRepository(RepositorySuite, PointSuite, ExaminationSuite, ConcurrencySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        repository = open_repository(f"sqlite:///{tmp_path / 'stratlab.db'}")
        yield repository
        repository.close()


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"],
)
def test_url_that_cannot_be_used_is_refused_with_a_hint(url):
    with pytest.raises(StoreError) as caught:
        open_repository(url)
    assert "store.url" in caught.value.hint
