"""A store on disk, with one campaign in it."""

import pytest
from tests.suites.samples import a_campaign

from stratlab.store import open_repository


@pytest.fixture
def database(tmp_path):
    return tmp_path / "stratlab.db"


@pytest.fixture
def repository(database):
    repository = open_repository(f"sqlite:///{database}")
    repository.create_campaign(a_campaign(), "")
    yield repository
    repository.close()
