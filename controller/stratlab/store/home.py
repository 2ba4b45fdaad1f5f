"""The home directory: made private, and never one that belongs to something else."""

import stat
from pathlib import Path
from typing import Final

from stratlab.domain.errors import (
    DiskFullError,
    InvalidInputError,
    UnsafeConfigurationError,
    from_os_error,
)

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# One of these makes an existing directory one of ours.
_MARKS: Final = ("installation-id", "stratlab.db", "data", "stratlab.log", "controller.lock")
_HINT: Final = "Choose another one with --home or STRATLAB_HOME."


def make_home(home: Path) -> Path:
    """Make the home directory, or make the existing one private (0700), and return it.

    Raises:
        InvalidInputError: It cannot be made or used.
        UnsafeConfigurationError: It is a directory with other files that others may enter:
            closing it could break whatever it belongs to.
        DiskFullError: No space is left for it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if stat.S_IMODE(home.stat().st_mode) & _OTHERS and _is_foreign(home):
            raise UnsafeConfigurationError(
                f"{home} holds other files and others can enter it, so it cannot be a home "
                "directory",
                hint="Choose an empty or a private directory with --home or STRATLAB_HOME.",
            )
        home.chmod(0o700)
    except OSError as error:
        typed = from_os_error(error)
        if isinstance(typed, DiskFullError):
            raise typed from None
        raise InvalidInputError(
            f"the home directory {home} cannot be used: {error.strerror}", hint=_HINT
        ) from None
    return home


def _is_foreign(home: Path) -> bool:
    names = {path.name for path in home.iterdir()}
    return bool(names) and not names.intersection(_MARKS)
