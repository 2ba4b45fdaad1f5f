"""Tells before anything is run whether a candidate was tried before."""

import hashlib
import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.contract.document import load_contract
from stratlab.domain.errors import NothingNovelError
from stratlab.search.code_novelty import CodeIndex, shape_of
from stratlab.search.factor_graph import RISK, NodeKind, canonical_hash, digests, factor_graph
from stratlab.search.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratlab.contract.model import StrategyContract
    from stratlab.domain.generation import IterationSummary
    from stratlab.domain.strategy import Candidate
    from stratlab.domain.trial import Parameters


@final
@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is compared of a contract.

    Attributes:
        canonical: Hash of the factor graph at the defaults.
        structure: The same without any number.
        tokens: Hashes of its indicators, signals, rules and risk parts, sorted: the factor
            vector, which is 1 there.
    """

    canonical: str
    structure: str
    tokens: tuple[int, ...]


_FINGERPRINTS: Memory[Fingerprint] = Memory()
_CANONICAL: Memory[str] = Memory()


@final
@dataclass(frozen=True, slots=True)
class Precedent:
    """An earlier candidate that a new one repeats.

    Attributes:
        candidate: Its hash.
        iteration: Where it was tried.
        why: What they have in common, one clause.
    """

    candidate: str
    iteration: int
    why: str


@final
class NoveltyIndex:
    """Everything that a campaign tried, to compare new candidates with.

    A contract is a repetition when it does at its defaults, or at all of its points, what was done
    before (its canonical hash is known there), or when it is made of the same indicators, signals,
    rules and risk parts as another and differs in more than numbers from it: the same conditions
    twice, or in another order. The same structure at a new point passes. Free code is compared by
    :class:`stratlab.search.code_novelty.CodeIndex`.

    Args:
        history: Earlier iterations in order.
    """

    def __init__(self, history: "Iterable[IterationSummary]" = ()) -> None:
        self._points: dict[str, tuple[str, int]] = {}
        self._defaults: dict[str, tuple[str, int]] = {}
        self._vectors: dict[tuple[int, ...], tuple[str, str, int]] = {}
        # Token -> rows of the vectors that have it; a row is the place of its size.
        self._rows: dict[int, array[int]] = {}
        self._sizes = array("d")
        self._code = CodeIndex()
        for summary in history:
            if summary.candidate is not None:
                self.add(summary.candidate, summary.number)

    def add(self, candidate: "Candidate", iteration: int) -> None:
        """Remember a candidate that was tried."""
        if not candidate.contract:
            self._code.add(candidate.source, (candidate.hash, iteration))
            return
        known = fingerprint(candidate)
        own = (known.structure, candidate.hash, iteration)
        if known.tokens not in self._vectors:
            self._vectors[known.tokens] = own
            for token in known.tokens:
                self._rows.setdefault(token, array("i")).append(len(self._sizes))
            self._sizes.append(len(known.tokens))
        defaults, *points = _keys(candidate)
        self._defaults.setdefault(defaults, own[1:])
        for key in points:
            self._points.setdefault(key, own[1:])

    def precedent(self, candidate: "Candidate") -> Precedent | None:
        """Return what a candidate repeats, None when it is novel."""
        if not candidate.contract:
            return self._code_precedent(candidate)
        defaults, *points = _keys(candidate)
        earlier = self._defaults.get(defaults)
        if earlier is None and all(key in self._points for key in points):
            earlier = self._points[points[0]]
        if earlier is not None:
            return Precedent(*earlier, "it does the same")
        return self._rearranged(fingerprint(candidate))

    def repeats(self, contract: "StrategyContract") -> bool:
        """Return whether a contract that is no candidate yet, at its defaults, is a repetition."""
        wanted = fingerprint_of(contract)
        if wanted.canonical in self._points or wanted.canonical in self._defaults:
            return True
        return self._rearranged(wanted) is not None

    def similarity(self, candidate: "Candidate") -> float:
        """Return the highest similarity with anything that was tried, 0 to 1.

        For contracts the cosine of the factor vectors: 1 for the same parts, 0 for none in common.
        """
        import numpy as np  # noqa: PLC0415 - keeps start-up fast

        if not candidate.contract:
            found = self._code.nearest(candidate.source)
            return found.similarity if found is not None else 0.0
        tokens = fingerprint(candidate).tokens
        rows = [np.frombuffer(self._rows[t], np.intc) for t in tokens if t in self._rows]
        if not rows:
            return 0.0
        shared = np.bincount(np.concatenate(rows), minlength=len(self._sizes))
        scores = shared / np.sqrt(np.frombuffer(self._sizes))
        return float(scores.max()) / math.sqrt(len(tokens))

    def _rearranged(self, wanted: Fingerprint) -> Precedent | None:
        # Sets of tokens with a similarity of 1 are equal, so that this needs no search.
        known = self._vectors.get(wanted.tokens)
        if known is None or known[0] == wanted.structure:
            return None
        return Precedent(known[1], known[2], "it is made of the same parts")

    def _code_precedent(self, candidate: "Candidate") -> Precedent | None:
        found = self._code.nearest(candidate.source)
        if found is None or not found.is_copy:
            return None
        return Precedent(*found.key, f"its code is similar by {found.similarity:.3f}")


def canonical_key(candidate: "Candidate") -> str:
    """Return what no two candidates of a campaign may share.

    The canonical hash of a contract at its defaults; of free code, a digest of its syntax tree.
    """
    if not candidate.contract:
        shape = shape_of(candidate.source)
        return f"{shape.digest}{shape.numbers}"
    return _canonical(candidate, candidate.parameters)


def refuse_repetition(candidate: "Candidate", known: NoveltyIndex) -> float:
    """Return how similar a novel candidate is to the nearest earlier one, 0 to 1.

    Raises:
        NothingNovelError: It repeats one that was tried; names it.
    """
    found = known.precedent(candidate)
    if found is not None:
        raise NothingNovelError(
            f"the candidate repeats that of iteration {found.iteration}: {found.why}",
            candidate=found.candidate,
            iteration=found.iteration,
        )
    return known.similarity(candidate)


def fingerprint(candidate: "Candidate") -> Fingerprint:
    """Return the fingerprint of a candidate with a contract; remembered."""
    return _FINGERPRINTS.get(
        candidate.hash, lambda: fingerprint_of(load_contract(candidate.contract))
    )


def fingerprint_of(contract: "StrategyContract") -> Fingerprint:
    """Return the fingerprint of a contract."""
    graph = factor_graph(contract)
    found = digests(graph)
    tokens = set()
    for name, node in graph.nodes(data=True):
        if node["kind"] is NodeKind.INDICATOR:
            tokens.add(node["content"])
        elif node["kind"] is NodeKind.SIGNAL:
            tokens.add(f"{node['stage']} {node['side']}: {node['content']}")
        elif node["kind"] is NodeKind.RULE:
            signals = {found[signal][:16] for signal in graph.predecessors(name)}
            tokens.add(f"{node['content']} when {' '.join(sorted(signals))}")
        elif node["kind"] is NodeKind.RISK:
            tokens.update(node["content"].splitlines())
    return Fingerprint(canonical_hash(contract), found[RISK], tuple(sorted(map(_short, tokens))))


def _short(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "big")


def _canonical(candidate: "Candidate", point: "Parameters") -> str:
    def compute() -> str:
        return canonical_hash(load_contract(candidate.contract), point)

    if point == candidate.parameters:
        return fingerprint(candidate).canonical
    return _CANONICAL.get((candidate.hash, *sorted(point.items())), compute)


def _keys(candidate: "Candidate") -> list[str]:
    # Of its defaults, then of each point that runs.
    points = candidate.parameter_points or (candidate.parameters,)
    return [_canonical(candidate, point) for point in (candidate.parameters, *points)]
