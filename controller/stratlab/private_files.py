"""Files that hold secrets: read only where nobody else can."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stratlab.domain.errors import InvalidInputError, UnsafeConfigurationError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading that only this account can use.

    Raises:
        UnsafeConfigurationError: It is no regular file, somebody else's, or others can use it.
        OSError: It cannot be opened.
    """
    # A pipe without a writer must not stop us.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # Of the open file, so that nobody can exchange it in between.
        _require_private(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes:
    """Return the bytes of a file that holds a secret.

    Raises:
        UnsafeConfigurationError: It is no regular file, somebody else's, or others can use it.
        InvalidInputError: It cannot be read.
    """
    try:
        with open_private(path.expanduser()) as file:
            return file.read()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from None


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeConfigurationError(f"{path} is no regular file", hint="Name another file.")
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS:
        raise UnsafeConfigurationError(
            f"others can read or change {path}",
            hint=f"Run `chmod 600 {path}` as the account that uses it, and own it.",
        )
