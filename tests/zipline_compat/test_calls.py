"""The registry of calls is complete, tested and what the page in docs says."""

import pytest
from tests.zipline_compat.calls import GROUPS, Status, names_used, own_use
from tests.zipline_compat.refusals import REFUSALS
from tests.zipline_compat.table import TARGET, render


def test_page_is_made_from_the_registry_as_it_is() -> None:
    assert TARGET.read_text(encoding="utf-8") == render()


def test_at_least_twenty_algorithms_use_every_call_that_works() -> None:
    used = own_use()
    assert len(used) >= 20
    unused = [
        f"{key}.{name}"
        for key, group in GROUPS.items()
        for name, call in group.calls.items()
        if call.status in {Status.SUPPORTED, Status.OVERRIDDEN} and not group.tested_by(name, used)
    ]
    assert not unused


def test_every_refused_call_has_a_refusal() -> None:
    refused = {
        name
        for group in GROUPS.values()
        for name, call in group.calls.items()
        if call.status is Status.REFUSED
    }
    assert refused <= REFUSALS.keys()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from zipline.api import order\norder(a, 1)", "zipline.api.order"),
        (
            "from zipline.api import date_rules as d\nd.every_day()",
            "zipline.api.date_rules.every_day",
        ),
        ("def f(context, data):\n  data.history(a)", "data.history"),
        ("def f(context):\n  context.order(1)", "context.order"),
    ],
)
def test_names_used_are_resolved_to_their_origin(source: str, name: str) -> None:
    assert name in names_used(source)


def test_names_that_are_only_imported_are_not_used() -> None:
    assert "zipline.api.order" not in names_used("from zipline.api import order")
