"""A sealed replay equals a batch run: programs of ``inside/``, run in the test image."""

from pathlib import Path

import pytest
from tests.sealed.conftest import check

pytestmark = [pytest.mark.docker, pytest.mark.load]


def test_random_scripts_do_the_same_sealed(test_image: str) -> None:
    """Gaps, listings, delistings, splits and dividends, on three calendars, at both costs."""
    check(test_image, "check_random", {})


def test_strategies_do_the_same_sealed(test_image: str, tier: Path, sources: Path) -> None:
    """Our own algorithms, zipline's examples and the compiled templates."""
    check(test_image, "check_strategies", {tier: "/data", sources: "/sources"})
