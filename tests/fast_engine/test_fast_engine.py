"""The fast engine equals stock zipline: programs of ``inside/``, run in the test image."""

from pathlib import Path

import pytest
from tests.fast_engine.conftest import check

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"

pytestmark = [pytest.mark.docker, pytest.mark.load]


def test_random_scripts_do_the_same_on_both_engines(test_image: str) -> None:
    """Daily and intraday, on four calendars, with both cost models."""
    check(test_image, "check_trials", {})


def test_performance_frames_equal_plain_zipline(test_image: str) -> None:
    """Transactions exactly; portfolio value and every risk column within 1e-9."""
    check(test_image, "check_performance", {})


def test_every_public_call_is_listed(test_image: str) -> None:
    """A call that zipline adds is on nobody's list; the page shows the list as it is."""
    check(test_image, "check_surface", {PAGE: "/engine.md"})


def test_strategies_do_the_same_on_both_engines(test_image: str, tier: Path, sources: Path) -> None:
    """Our own algorithms, zipline's examples and the compiled templates."""
    check(test_image, "check_sources", {tier: "/data", sources: "/sources"})


def test_templates_do_the_same_on_hourly_bars(test_image: str, sources: Path) -> None:
    """Without a single fallback."""
    check(test_image, "check_hourly", {sources: "/sources"})
