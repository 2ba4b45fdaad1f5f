"""Walks from a candidate to its ancestors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Ancestor:
    """One line of a family tree.

    Attributes:
        candidate: Hash.
        depth: 0 for the candidate itself, 1 for its parents ...
        is_repeated: Whether its own ancestors stand at an earlier line already.
    """

    candidate: str
    depth: int
    is_repeated: bool = False


def family_tree(candidate: str, parents: Mapping[str, Sequence[str]]) -> tuple[Ancestor, ...]:
    """Return a candidate and its ancestors, each followed by its own.

    Args:
        candidate: Hash of the youngest.
        parents: Hash -> hashes of the parents, of every candidate that is known.
    """
    lines: list[Ancestor] = []
    told: set[str] = set()
    pending = [(candidate, 0)]
    while pending:
        current, depth = pending.pop()
        if current not in parents:
            continue
        lines.append(Ancestor(current, depth, is_repeated=current in told))
        if current not in told:
            told.add(current)
            pending.extend((parent, depth + 1) for parent in reversed(parents[current]))
    return tuple(lines)
