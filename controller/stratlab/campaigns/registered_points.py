"""Reads the whole registry of a campaign's points, page by page."""

from collections.abc import Iterator

from stratlab.domain.points import Point
from stratlab.domain.ports import Repository

_PAGE = 1000


def registered_points(repository: Repository, campaign_id: str) -> Iterator[Point]:
    """Yield every entry of a campaign's registry, in order."""
    number = 0
    while page := repository.points(campaign_id, after=number, limit=_PAGE):
        yield from page
        number += len(page)
