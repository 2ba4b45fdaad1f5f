"""Every way to a forbidden module through the allowed ones of the image is seen."""

import json
from functools import lru_cache

import pytest
from tests.screening.surface import asked, run_inside

from stratlab.domain.strategy import Author
from stratlab.screening.attributes import check as check_attributes
from stratlab.screening.imports import check as check_imports
from stratlab.screening.source import StrategySource
from stratlab_runner.contract import ALLOWED_MODULES
from stratlab_runner.reading import read_source

pytestmark = [pytest.mark.docker, pytest.mark.load]
LEAST = 500
BATCH = 500


@lru_cache(maxsize=1)
def chains() -> list[str]:
    """Return each as dotted name, from an allowed module to one that is not."""
    return json.loads(run_inside("reach.py", text=json.dumps(asked())))


def root_of(chain: str) -> str:
    parts = chain.split(".")
    roots = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next(root for root in roots if root in ALLOWED_MODULES)


def unseen(lines: list[str]) -> list[str]:
    """Return the lines without a finding."""
    left = []
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        text = "\n".join(batch)
        source = StrategySource(text, read_source(text), Author.HUMAN)
        found = {f.line for check in (check_imports, check_attributes) for f in check(source)}
        left += [line for number, line in enumerate(batch, 1) if number not in found]
    return left


def test_attribute_chains_to_forbidden_modules_are_seen() -> None:
    assert len(chains()) > LEAST
    assert unseen([f"import {root_of(chain)}; {chain}.x" for chain in chains()]) == []


def test_imports_of_what_modules_carry_are_seen() -> None:
    lines = []
    for number, chain in enumerate(chains()):
        module, _, name = chain.rpartition(".")
        lines.append(f"from {module} import {name} as it{number}")
    assert unseen(lines) == []


def test_renamed_packages_hide_nothing() -> None:
    lines = [
        f"import {root_of(chain)} as m{n}; m{n}{chain.removeprefix(root_of(chain))}.x"
        for n, chain in enumerate(chains())
    ]
    assert unseen(lines) == []
