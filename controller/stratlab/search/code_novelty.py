"""Compares free code by the shapes in its syntax tree, whatever its names, texts and numbers."""

import ast
import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, final

from stratlab.search.memory import Memory
from stratlab_runner.contract import MAX_SOURCE_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 2048
"""Length of a code vector; shapes are hashed into it."""

MAX_DEPTH = 64
"""Brackets or blocks inside each other; deeper code is compared as text only."""

_FIRST_ROWS = 64
_INDENT = 4
# The parser may give up on code that no screening has seen yet.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The source most like another.

    Attributes:
        key: Candidate and iteration that had it first.
        similarity: Cosine of the code vectors, in [0, 1].
        is_copy: Whether it is so similar that the other one says nothing new.
    """

    key: tuple[str, int]
    similarity: float
    is_copy: bool


@final
@dataclass(frozen=True, slots=True)
class Calibration:
    """What similarity means, measured on a corpus by ``benchmarks/calibrate_novelty.py``.

    Attributes:
        threshold: Similarity from which one source is a copy of another.
        weights: Inverse document frequency of each dimension, shape (DIMENSIONS,).
    """

    threshold: float
    weights: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """A source without names, texts and numbers.

    Attributes:
        digest: Of the whole tree; of the text where it cannot be parsed.
        numbers: Digest of the numbers, in order.
        counts: Dimension -> number of shapes that fall into it.
    """

    digest: str
    numbers: str
    counts: "Counter[int]"


@final
class CodeIndex:
    """Sources that were tried.

    A source that differs from another in its numbers only is another point of it, and no copy.
    """

    def __init__(self) -> None:
        self._keys: list[tuple[str, int]] = []
        self._rows: NDArray[np.float32] | None = None
        self._seen: dict[str, dict[str, tuple[str, int]]] = {}

    def add(self, source: str, key: tuple[str, int]) -> None:
        """Remember a source under a key."""
        import numpy as np  # noqa: PLC0415 - keeps start-up fast

        known = _features(source)
        self._seen.setdefault(known.digest, {}).setdefault(known.numbers, key)
        if self._rows is None:
            self._rows = np.zeros((_FIRST_ROWS, DIMENSIONS), np.float32)
        if len(self._keys) == len(self._rows):
            self._rows = np.concatenate((self._rows, np.zeros_like(self._rows)))
        self._rows[len(self._keys), known.places] = known.values
        self._keys.append(key)

    def nearest(self, source: str) -> Nearest | None:
        """Return the most similar source, None when there is none."""
        import numpy as np  # noqa: PLC0415 - keeps start-up fast

        if self._rows is None:
            return None
        known = _features(source)
        same = self._seen.get(known.digest, {})
        if known.numbers in same:
            return Nearest(same[known.numbers], 1.0, is_copy=True)
        row = np.zeros(DIMENSIONS, np.float32)
        row[known.places] = known.values
        # Without BLAS: its threads fight for cores, and its sums differ from machine to machine.
        scores = np.einsum("ij,j->i", self._rows[: len(self._keys)], row)
        place = int(scores.argmax())
        similarity = float(scores[place])
        is_copy = not same and similarity >= calibration().threshold
        return Nearest(self._keys[place], similarity, is_copy)


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """Return the committed calibration."""
    text = files("stratlab.search").joinpath("code_calibration.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return Calibration(document["threshold"], tuple(document["weights"]))


def vector(shape: Shape, weights: Sequence[float]) -> "NDArray[np.float32]":
    """Return the tf-idf vector of a shape, of length 1 (or 0), shape (DIMENSIONS,).

    Args:
        shape: The shape.
        weights: Inverse document frequencies.
    """
    import numpy as np  # noqa: PLC0415 - keeps start-up fast

    row = np.zeros(DIMENSIONS, np.float32)
    for place, count in shape.counts.items():
        row[place] = (1.0 + math.log(count)) * weights[place]
    length = float(np.linalg.norm(row))
    return row / np.float32(length) if length else row


def shape_of(source: str) -> Shape:
    """Return the shape of a source; never raises on any text."""
    tree = _parsed(source)
    if tree is None:
        return Shape(_digest([source]), "", Counter())
    own = _own_names(tree)
    labels: dict[ast.AST, bytes] = {}
    near: dict[ast.AST, bytes] = {}
    places: list[bytes] = []
    whole: list[str] = []
    numbers: list[str] = []
    for node in _children_first(tree):
        parts = list(ast.iter_child_nodes(node))
        label = _label(node, own)
        whole.append(f"{len(parts)} {label}")
        labels[node] = _short(label.encode(errors="surrogatepass"))
        near[node] = _short(labels[node], *(labels[part] for part in parts))
        if parts:
            # A node with its parts, and the same with the parts of those.
            places += (near[node], _short(near[node], *(near[part] for part in parts)))
        elif isinstance(node, ast.Constant) and _is_number(node.value):
            numbers.append(repr(node.value))
    counts = Counter(int.from_bytes(place, "big") % DIMENSIONS for place in places)
    return Shape(_digest(whole), _digest(numbers), counts)


@final
@dataclass(frozen=True, slots=True)
class _Features:
    # What is remembered of a source: few of the dimensions are not 0.
    digest: str
    numbers: str
    places: "NDArray[np.intp]"
    values: "NDArray[np.float32]"


_FEATURES: Memory[_Features] = Memory()


def _features(source: str) -> _Features:
    def compute() -> _Features:
        shape = shape_of(source)
        row = vector(shape, calibration().weights)
        (places,) = row.nonzero()
        return _Features(shape.digest, shape.numbers, places, row[places])

    return _FEATURES.get(_digest([source]), compute)


def _parsed(source: str) -> ast.Module | None:
    if len(source) > MAX_SOURCE_BYTES or _depth(source) > MAX_DEPTH:
        return None
    try:
        tree = ast.parse(source)
    except _UNREADABLE:
        return None
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Texts that stand alone are comments.
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]  # it has one, see above
    return tree


def _depth(source: str) -> int:
    deepest = depth = 0
    for character in source:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    indents = (len(line) - len(line.lstrip()) for line in source.splitlines())
    return max(deepest, max(indents, default=0) // _INDENT)


def _children_first(tree: ast.AST) -> Iterator[ast.AST]:
    pending = [(tree, False)]
    while pending:
        node, is_done = pending.pop()
        if is_done:
            yield node
        else:
            pending.append((node, True))
            pending.extend((part, False) for part in reversed(list(ast.iter_child_nodes(node))))


def _own_names(tree: ast.AST) -> frozenset[str]:
    # What the author named; all else is Python's, zipline's or another module's.
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                names.add(name)
    return frozenset(names)


def _label(node: ast.AST, own: frozenset[str]) -> str:
    kind = type(node).__name__
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"{kind} {'' if name in own else name}"
        case ast.keyword(arg=name) | ast.alias(name=name) | ast.ImportFrom(module=name):
            return f"{kind} {name}"
        case ast.Constant(value=str() | bytes()):
            return f"{kind} text"
        case ast.Constant(value=value):
            return f"{kind} {'#' if _is_number(value) else repr(value)}"
    return kind


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex) and not isinstance(value, bool)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _digest(parts: Iterable[str]) -> str:
    text = "\0".join(parts).encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _short(*parts: bytes) -> bytes:
    # A checksum is enough for what is hashed into a few hundred places, and fast.
    return zlib.crc32(b"".join(parts)).to_bytes(4, "big")
