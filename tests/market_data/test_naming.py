"""Names of data sets, and removing them."""

from pathlib import Path

import pytest
from tests.market_data.helpers import DescriptionJobs, small_content

from stratlab.domain.errors import DataSetNotFoundError, InvalidInputError, WrongStateError
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.naming import check_name
from stratlab.market_data.removal import remove_data_set


@pytest.mark.parametrize("name", ["a", "my-data", "fx.2020_daily", "9", "a" * 63])
def test_plain_name_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "../a", "A", "a b", "-a", "a-", ".a", "a..b", "a\0", "a\n", "ü"),
        *("a" * 64, "us-daily", "$(x)", "a;b", "a'b"),
    ],
)
def test_hostile_or_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        check_name(name)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    build_data_set(tmp_path, "small", small_content(), DescriptionJobs(), provenance="test")
    return tmp_path


def test_removed_data_set_is_gone_and_can_be_built_again(home: Path) -> None:
    remove_data_set(home, "small", [])
    assert Catalogue(home).list() == []
    assert [path.name for path in (home / "data").iterdir()] == [".small.lock"]
    build_data_set(home, "small", small_content(), DescriptionJobs(), provenance="test")
    Catalogue(home).verify("small")


def test_data_set_in_use_stays_and_its_users_are_listed(home: Path) -> None:
    with pytest.raises(WrongStateError, match="2 unfinished campaigns: c1, c2"):
        remove_data_set(home, "small", ["c1", "c2"])
    Catalogue(home).verify("small")


def test_damaged_data_set_can_be_removed(home: Path) -> None:
    (home / "data" / "small" / "manifest.json").write_text("broken")
    remove_data_set(home, "small", [])
    assert Catalogue(home).list() == []


@pytest.mark.parametrize("name", ["none", "..", "small/tiers", ".small.lock"])
def test_what_is_no_data_set_cannot_be_removed(home: Path, name: str) -> None:
    with pytest.raises(DataSetNotFoundError):
        remove_data_set(home, name, [])
