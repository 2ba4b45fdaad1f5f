"""The registry of rules, the page that is made of it, and what was introspected for it."""

import json
import re
import string

import pytest
from tests.screening import surface, table
from tests.screening.test_honest_corpus import SOURCES, ZIPLINE_EXAMPLES

from stratlab.domain.strategy import Author, Severity
from stratlab.screening import members
from stratlab.screening.rule import Layer, Rule
from stratlab.screening.rules import RULE_BY_ID, RULES

RULE = Rule("odd", Layer.STATIC, Severity.WARNING, "{what} is odd", "look", "why", Severity.ERROR)


def test_ids_are_unique_and_stable_in_form() -> None:
    assert len(RULE_BY_ID) == len(RULES)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*|bandit\.B\d{3}", rule.id) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_says_everything_in_a_line(rule: Rule) -> None:
    assert rule.hint.endswith(".")
    assert rule.rationale
    for text in (rule.message, rule.hint, rule.rationale):
        assert "\n" not in text
        assert "|" not in text
    assert all(
        name.isidentifier() for _, name, _, _ in string.Formatter().parse(rule.message) if name
    )


def test_only_the_advice_never_rejects() -> None:
    hard = {rule.layer for rule in RULES if rule.severity is Severity.ERROR}
    assert hard == {Layer.STATIC, Layer.SECURITY, Layer.SMOKE, Layer.CAUSALITY}


def test_severity_may_depend_on_the_author() -> None:
    assert RULE.at(what="it").severity is Severity.WARNING
    assert RULE.at(author=Author.MODEL, what="it").severity is Severity.ERROR


def test_message_quotes_no_long_text_and_no_template() -> None:
    assert RULE.at(what="{evil}").message == "{evil} is odd"
    assert len(RULE.at(what="x" * 10_000).message) < 100


def test_page_is_made_of_the_registry() -> None:
    text = table.render(len(SOURCES) + len(ZIPLINE_EXAMPLES))
    assert table.TARGET.read_text("utf-8") == text, "run `python -m tests.screening.table`"
    assert all(f"| `{rule.id}` |" in text for rule in RULES)


def test_every_refused_member_lies_below_an_allowed_module() -> None:
    roots = {name.split(".")[0] for name in members.surface().modules}
    assert {name.split(".")[0] for name in members.MEMBERS} <= roots


@pytest.mark.docker
def test_surface_is_that_of_the_image() -> None:
    found = surface.introspect()
    assert surface.TARGET.read_text("utf-8") == surface.render(found), (
        "run `python -m tests.screening.surface`"
    )
    assert json.loads(surface.render(found))["foreign"]["os"] == "os"
