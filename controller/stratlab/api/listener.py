"""The unix socket the server listens on: private, short enough, and owned by one server."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from stratlab.domain.errors import (
    AlreadyExistsError,
    DiskFullError,
    InvalidInputError,
    StratlabError,
    UnsafeConfigurationError,
    from_os_error,
)

MAX_PATH_BYTES = 107  # sun_path holds 108 with the closing NUL
_SCHEME = "unix:"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def socket_path(address: str) -> Path:
    """Return the path of a ``unix:/path`` address.

    Raises:
        UnsafeConfigurationError: It is not the address of a unix socket.
        InvalidInputError: The path is relative or too long for a socket.
    """
    if not address.startswith(_SCHEME):
        raise UnsafeConfigurationError(
            f"{address!r} is no unix socket", hint="Use an address of the form unix:/path."
        )
    path = Path(address.removeprefix(_SCHEME))
    if not path.is_absolute() or "\0" in str(path):
        raise InvalidInputError(f"{address!r} is not an absolute path")
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        raise InvalidInputError(
            f"the socket's path has {size} bytes, more than {MAX_PATH_BYTES}: {path}",
            hint="Set STRATLAB_SERVER__ADDRESS to a shorter unix:/path.",
        )
    return path


@contextlib.contextmanager
def claim(path: Path) -> Iterator[None]:
    """Own a socket's path: a dead server's socket is removed, a live server's never.

    The claim is a lock on ``<path>.lock``, which the kernel drops with the process, so two
    servers that start together cannot both win.

    Raises:
        UnsafeConfigurationError: Others can enter the directory, or the path is another file.
        InvalidInputError: Nothing can be made at this path.
        DiskFullError: No space is left there.
        AlreadyExistsError: Another server listens there.
    """
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        _prepare_directory(path.parent)
        lock = os.open(f"{path}.lock", flags, 0o600)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(path) from None
        _remove_stale(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _prepare_directory(directory: Path) -> None:
    with contextlib.suppress(FileExistsError):
        directory.mkdir(parents=True, mode=0o700)
        directory.chmod(0o700)  # whatever the umask took
    status = directory.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS:
        raise UnsafeConfigurationError(
            f"others can enter {directory}, the directory of the socket",
            hint="Choose a socket in a directory of your own that is closed to others (chmod 700), "
            "never in a shared one such as /tmp.",
        )


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UnsafeConfigurationError(
            f"{path} exists and is no socket", hint="Remove it, or choose another address."
        )
    # A program that does not take our lock may live there too.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # full backlog or timeout: somebody is there
    raise _in_use(path)


def _unusable(path: Path, error: OSError) -> StratlabError:
    typed = from_os_error(error)
    if isinstance(typed, DiskFullError):
        return typed
    return InvalidInputError(
        f"no socket can be made at {path}: {error.strerror}",
        hint="Choose another place with --address or STRATLAB_SERVER__ADDRESS.",
    )


def _in_use(path: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"another server listens on {path}",
        hint="Stop it first, or give this one another STRATLAB_HOME.",
    )
