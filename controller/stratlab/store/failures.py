"""Driver errors to our errors: which ones a user can act on, and how."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from stratlab.domain.errors import DiskFullError, InfrastructureError, StoreError

BUSY_SECONDS = 30
"""How long a writer waits for the other writers before it gives up."""

_DISK_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"})
_BUSY = "the database was locked by another process for {seconds} s"
_BUSY_HINT = (
    "Find who holds the database file (`fuser -v FILE`), stop it and try again; "
    "nothing was written."
)
# SQLite's result code names (prefixes) and PostgreSQL's SQLSTATEs, with what to do.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_BUSY", _BUSY, _BUSY_HINT),
    ("SQLITE_LOCKED", _BUSY, _BUSY_HINT),
    ("55P03", _BUSY, "End the session that holds the lock (see pg_locks) and try again."),
    (
        "SQLITE_CANTOPEN",
        "the database file cannot be opened",
        "Check that its directory exists and that you may write there.",
    ),
    (
        "SQLITE_READONLY",
        "the database file is read-only",
        "Give the user of the controller write permission on the file and its directory.",
    ),
    (
        "SQLITE_NOTADB",
        "the file is not a stratlab database",
        "Point store.url at another file, or restore this one from a backup.",
    ),
    (
        "SQLITE_CORRUPT",
        "the database file is damaged",
        "Restore it from a backup; do not trust results that used it.",
    ),
)


def error_code(error: DBAPIError) -> str:
    """Return SQLite's result code name or PostgreSQL's SQLSTATE, "" where there is none."""
    for attribute in ("sqlite_errorname", "sqlstate"):
        code = getattr(error.orig, attribute, None)
        if code:
            return str(code)
    return ""


def to_domain_error(error: SQLAlchemyError) -> InfrastructureError:
    """Return the typed error with the next step for a database error."""
    code = error_code(error) if isinstance(error, DBAPIError) else ""
    if code in _DISK_FULL:
        return DiskFullError("no space is left for the database", code=code)
    for prefix, message, hint in _KNOWN:
        if code.startswith(prefix):
            return StoreError(message.format(seconds=BUSY_SECONDS), hint=hint, code=code)
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreError(f"the database failed: {cause}", code=code)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors instead of the database's.

    Raises:
        StoreError: The database failed.
        DiskFullError: The disk is full.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise to_domain_error(error) from error
