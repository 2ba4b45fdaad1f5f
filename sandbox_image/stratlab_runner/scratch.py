"""Empties the one writable directory between two trials, whatever a strategy left there."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path


def empty_directory(directory: Path) -> None:
    """Delete everything in ``directory``.

    A tree deeper than any path may be long, or closed to its owner, is no obstacle: the entries
    of a folder move to the top before the folder goes.

    Args:
        directory: Owned by the caller, and written by nobody else meanwhile.

    Raises:
        OSError: Something in it belongs to somebody else.
    """
    names = (directory / str(number) for number in count())
    while entries := list(directory.iterdir()):
        for entry in entries:
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink()
                continue
            entry.chmod(0o700)
            for inner in entry.iterdir():
                inner.rename(_free(names))
            entry.rmdir()


def _free(names: Iterator[Path]) -> Path:
    return next(path for path in names if not (path.exists() or path.is_symlink()))
