"""The store: rows in SQL, files as content-addressed artefacts; importing it costs nothing."""

from typing import TYPE_CHECKING

from stratlab.store.artifacts import FileArtifacts

if TYPE_CHECKING:
    from stratlab.store.repository import SqlRepository

__all__ = ["FileArtifacts", "open_repository"]


def open_repository(url: str) -> "SqlRepository":
    """Open the store and bring its schema up to date.

    Any number of processes may open the same store at the same time, also a new one.

    Args:
        url: SQLAlchemy URL: ``sqlite:////absolute/path.db``, or a PostgreSQL URL when a
            driver for it is installed.

    Raises:
        StoreError: The database cannot be opened, or was written by a newer version.
        DiskFullError: No space is left for it.
    """
    # keeps start-up fast: SQLAlchemy costs more than everything else that `--help` imports
    from stratlab.store.repository import SqlRepository  # noqa: PLC0415

    return SqlRepository.open(url)
