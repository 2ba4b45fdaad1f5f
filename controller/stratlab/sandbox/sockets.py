"""Directories of unix sockets that one user id alone can connect to."""

import os
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from stratlab.domain.errors import EngineError, UnsafeConfigurationError

SOCKET_NAME: Final = "link.sock"
MAX_SOCKET_PATH: Final = 107
"""Bytes of a unix socket's path; the kernel's sun_path holds one more for the end."""

_READ_WRITE: Final = 6
_NOBODY: Final = 0xFFFF_FFFF
_USER_OWNER, _USER, _GROUP_OWNER, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20


def make_socket_root(path: Path) -> None:
    """Make the directory of all sockets of one controller, or check the one that exists.

    Raises:
        UnsafeConfigurationError: Somebody else owns it or could write in it.
        EngineError: It cannot be made.
    """
    try:
        with suppress(FileExistsError):
            path.mkdir(parents=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise UnsafeConfigurationError(
                f"{str(path)!r} exists and is not a directory of this user",
                hint="Remove it, or set TMPDIR to a directory that only you can write in.",
            )
        path.chmod(0o711)
    except OSError as error:
        raise EngineError(f"the directory of the sockets cannot be made: {error}") from error


def socket_path(directory: Path) -> Path:
    """Return the path of the socket in ``directory``.

    Raises:
        UnsafeConfigurationError: It is too long for a unix socket.
    """
    path = directory / SOCKET_NAME
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise UnsafeConfigurationError(
            f"the socket path {str(path)!r} is longer than {MAX_SOCKET_PATH} bytes",
            hint="Set TMPDIR to a short directory, for example /tmp.",
        )
    return path


def allow_only(path: Path, uid: int) -> None:
    """Let ``uid`` and nobody else (root apart) connect to the socket at ``path``.

    Raises:
        UnsafeConfigurationError: The file system cannot do that.
    """
    # Connecting needs write permission on the socket. Root gives the socket away; anybody
    # else may only add a user to its access list.
    if os.geteuid() == 0:
        os.chown(path, uid, uid)
        path.chmod(0o600)
        return
    entries = (
        (_USER_OWNER, _READ_WRITE, _NOBODY),
        (_USER, _READ_WRITE, uid),
        (_GROUP_OWNER, 0, _NOBODY),
        (_MASK, _READ_WRITE, _NOBODY),
        (_OTHER, 0, _NOBODY),
    )
    access_list = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", access_list)
    except OSError as error:
        raise UnsafeConfigurationError(
            f"the socket {str(path)!r} cannot be closed to other users: {error.strerror}",
            hint="Set TMPDIR to a directory on a file system with access lists (ext4, tmpfs).",
        ) from error
