"""Finds the strategies below what was typed; whatever lies there, nothing hangs or loops."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from stratlab.api.validation import require_source
from stratlab.cli.reading import read_text
from stratlab.domain.errors import InvalidInputError, InvalidSourceError
from stratlab_runner.contract import MAX_SOURCE_BYTES

SUFFIX = ".py"
_NO_STRATEGY = frozenset({"__init__.py"})
_HINT = "Give files, or directories that hold *.py files that you may read."


@final
@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that shall be judged.

    Attributes:
        path: As it was typed or found.
        text: Its content, "" when it cannot be used.
        problem: Why it cannot be used, None otherwise.
    """

    path: Path
    text: str = ""
    problem: InvalidInputError | None = None


def find_paths(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths stand for: themselves, or all strategies below a directory.

    Directories are searched in the order of their names, without hidden ones and without
    following links to others, so no loop of links is walked. A file is returned once.

    Args:
        paths: As typed. A path that does not exist is returned too: reading it says why.

    Raises:
        InvalidInputError: A directory cannot be read, or none of them holds a strategy.
    """
    found: dict[str, Path] = {}
    for path in paths:
        try:
            is_folder = path.is_dir()
        except (OSError, ValueError):
            is_folder = False
        for file in _below(path) if is_folder else (path,):
            found.setdefault(os.path.normpath(file), file)
    if not found:
        raise InvalidInputError("there is no *.py file to judge", hint=_HINT)
    return list(found.values())


def read_source(path: Path) -> SourceFile:
    """Read one file; a problem with it is returned, not raised."""
    try:
        text = read_text(path, MAX_SOURCE_BYTES, InvalidSourceError)
        require_source(text)
    except InvalidInputError as problem:
        return SourceFile(path, problem=problem)
    return SourceFile(path, text)


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InvalidInputError(
            f"{error.filename} cannot be read: {error.strerror}", hint=_HINT
        ) from None

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.endswith(SUFFIX) and name not in _NO_STRATEGY and _may_be_read(path):
                yield path


def _may_be_read(path: Path) -> bool:
    # A pipe or a device would be read until somebody writes; a broken link is told of.
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
