"""Files that hold secrets: read only where nobody else can."""

import os
import stat
from pathlib import Path

from stratlab.domain.errors import InvalidInputError, UnsafeConfigurationError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def require_private(path: Path, status: os.stat_result) -> None:
    """Check that only this account can use a file that holds a secret.

    Args:
        path: Named in the error.
        status: Of the open file, so that nobody can exchange it in between.

    Raises:
        UnsafeConfigurationError: It is no regular file, somebody else's, or others can read it.
    """
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeConfigurationError(f"{path} is no regular file", hint="Name another file.")
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS:
        raise UnsafeConfigurationError(
            f"others can read or change {path}",
            hint=f"Run `chmod 600 {path}` as the account that uses it, and own it.",
        )


def read_private(path: Path) -> bytes:
    """Return the bytes of a file that holds a secret.

    Raises:
        UnsafeConfigurationError: Others can read or change it.
        InvalidInputError: It cannot be read.
    """
    try:
        # A pipe without a writer must not stop us.
        descriptor = os.open(path.expanduser(), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            require_private(path, os.fstat(descriptor))
            return file.read()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from None
