"""What the lab refuses ends the strategy with a typed error; and zipline's own names are known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runner.member import Member
from tests.zipline_compat.calls import GROUPS
from tests.zipline_compat.refusals import REFUSALS

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def member(train: Path) -> Iterator[Member]:
    with Member(train) as running:
        yield running


@pytest.mark.parametrize("key", REFUSALS)
def test_refused_call_ends_with_its_own_error(member: Member, key: str) -> None:
    refusal = REFUSALS[key]
    result = member.run(
        refusal.source,
        cost_model="zipline",
        start="2009-01-02",
        end="2009-03-02",
        symbols=["AAPL", "MSFT"],
    )
    assert result.failed is not None
    assert result.failed.type == refusal.error
    assert refusal.message in result.failed.message


def test_registry_names_everything_that_zipline_publishes(installed: dict[str, Any]) -> None:
    published = {key: set(names) for key, names in installed["names"].items()}
    assert {key: set(group.calls) for key, group in GROUPS.items()} == published


def test_harness_takes_no_name_of_the_context(installed: dict[str, Any]) -> None:
    assert installed["added_to_context"] == []
