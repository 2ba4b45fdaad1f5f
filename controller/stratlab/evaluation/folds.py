"""What walk-forward and cross-validation cut sessions into: where to choose and where to test."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Fold:
    """Sessions by their position, from 0 on; ranges are ascending and apart.

    Attributes:
        train: Where parameters are chosen.
        test: What they are tried on; never chosen from.
    """

    train: tuple[range, ...]
    test: tuple[range, ...]


def equal_parts(sessions: range, count: int) -> tuple[range, ...]:
    """Return consecutive parts whose lengths differ by one session at most, longer ones first."""
    length, longer = divmod(len(sessions), count)
    starts = [sessions.start + part * length + min(part, longer) for part in range(count + 1)]
    return tuple(map(range, starts[:-1], starts[1:]))


def joined(parts: Iterable[range]) -> tuple[range, ...]:
    """Return ascending ranges with those that touch made one."""
    whole: list[range] = []
    for part in parts:
        if whole and whole[-1].stop == part.start:
            whole[-1] = range(whole[-1].start, part.stop)
        else:
            whole.append(part)
    return tuple(whole)


def without(sessions: range, forbidden: Iterable[range]) -> Iterator[range]:
    """Yield what is left of sessions outside of ascending ranges, none of it empty."""
    start = sessions.start
    for each in forbidden:
        if start < each.start:
            yield range(start, min(each.start, sessions.stop))
        start = max(start, each.stop)
    if start < sessions.stop:
        yield range(start, sessions.stop)
