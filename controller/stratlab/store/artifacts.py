"""Files of campaigns: immutable blobs by digest, and a readable copy of each in a tree.

``<home>/blobs/ab/cdef...`` holds what was stored; ``<home>/reports/campaigns/<id>/<name>`` is
a copy for people and their tools. It is a copy and not a link: whoever edits a report must not
change what was stored. A file exists once its row is committed, and the row is written last.
"""

import errno
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final

from stratlab.domain.campaign import Artifact
from stratlab.domain.errors import (
    DiskFullError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    StoreError,
)
from stratlab.domain.trial import EquityPoint, Outcome, TrialResult
from stratlab.store.series import equity_from_parquet, equity_to_parquet, fills_to_parquet

_PARQUET = "application/vnd.apache.parquet"
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_NAME = 512
_MAX_DEPTH = 8
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
# No name can begin with a dot, so an unfinished file is never mistaken for a finished one.
_UNFINISHED = ".unfinished-"
_STALE_SECONDS = 3600.0


class ArtifactIndex(Protocol):
    """Where the descriptions of files are kept."""

    def get_campaign(self, campaign_id: str) -> object:
        """Return a campaign.

        Raises:
            NotFoundError: No campaign has that id.
        """
        ...

    def save_artifacts(self, artifacts: Sequence[Artifact]) -> None:
        """Insert or replace the descriptions of files of one campaign, all or none."""
        ...

    def artifact(self, campaign_id: str, name: str) -> Artifact | None:
        """Return the description of one of a campaign's files, None when there is none."""
        ...

    def artifacts(self, campaign_id: str) -> Sequence[Artifact]:
        """Return the descriptions of a campaign's files, sorted by name."""
        ...


@final
class FileArtifacts:
    """The port ``Artifacts`` below the home directory; safe from any thread.

    Args:
        home: Directory of the controller.
        index: The repository.
    """

    def __init__(self, home: Path, index: ArtifactIndex) -> None:
        self._blobs = home / "blobs"
        self._reports = home / "reports" / "campaigns"
        self._index = index
        # Writers of one name: the copy and the row must tell of the same bytes.
        self._lock = threading.Lock()
        _sweep(self._blobs)

    def put(self, campaign_id: str, name: str, media_type: str, content: bytes) -> Artifact:
        """Store a file under a campaign-relative name, replacing an older one.

        Args:
            campaign_id: An existing campaign.
            name: Path of up to 8 parts of letters, digits and ``._+-``, divided by ``/``.
            media_type: For downloads.
            content: The whole file.

        Raises:
            DiskFullError: No space is left; an older file of that name is still there.
            InvalidInputError: The name is not allowed.
            NotFoundError: No such campaign.
        """
        (artifact,) = self._put_all(campaign_id, {name: (media_type, content)})
        return artifact

    def put_all(self, campaign_id: str, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Store files (name -> media type, content) and their descriptions in one commit.

        Raises:
            DiskFullError: No space is left; older files of these names are still there.
            InvalidInputError: A name is not allowed.
            NotFoundError: No such campaign.
        """
        self._put_all(campaign_id, files)

    def put_series(self, campaign_id: str, result: TrialResult) -> Mapping[str, str]:
        """Store a settled trial's equity and fills as Parquet; return name -> digest.

        A trial that did not succeed has no series and gives an empty mapping.

        Raises:
            DiskFullError: No space is left.
            NotFoundError: No such campaign.
        """
        if result.outcome is not Outcome.SUCCEEDED:
            return {}
        files = {
            _equity_name(result.spec.trial_id): (
                _PARQUET,
                equity_to_parquet(result.equity, result.benchmark_equity),
            ),
            f"series/{result.spec.trial_id}_fills.parquet": (
                _PARQUET,
                fills_to_parquet(result.fills),
            ),
        }
        stored = self._put_all(campaign_id, files)
        return {artifact.name: artifact.digest for artifact in stored}

    def equity(self, campaign_id: str, trial_id: str) -> Sequence[EquityPoint]:
        """Return the equity of a trial that :meth:`put_series` stored.

        Raises:
            NotFoundError: It has none.
            IntegrityError: The bytes are not what was written.
        """
        artifact = self.get(campaign_id, _equity_name(trial_id))
        own, _ = equity_from_parquet(b"".join(self.read(artifact)))
        return own

    def get(self, campaign_id: str, name: str) -> Artifact:
        """Return the description of a file.

        Raises:
            NotFoundError: No such artefact.
        """
        artifact = self._index.artifact(campaign_id, name)
        if artifact is None:
            raise NotFoundError(
                f"campaign {campaign_id} has no artefact {name!r}", campaign=campaign_id, name=name
            )
        return artifact

    def list(self, campaign_id: str) -> Sequence[Artifact]:
        """Return all files of a campaign, sorted by name."""
        return self._index.artifacts(campaign_id)

    def read(self, artifact: Artifact, *, chunk_bytes: int = 65536) -> Iterator[bytes]:
        """Yield the content in chunks of at most ``chunk_bytes``.

        Raises:
            IntegrityError: The bytes do not match the digest (raised at the end), or are gone.
            InvalidInputError: The digest is not one.
        """
        if not _DIGEST.fullmatch(artifact.digest):
            raise InvalidInputError("an artefact's digest has 64 hexadecimal digits")
        seen = hashlib.sha256()
        try:
            with self._blob(artifact.digest).open("rb") as blob:
                while chunk := blob.read(chunk_bytes):
                    seen.update(chunk)
                    yield chunk
        except OSError as error:
            raise IntegrityError(
                f"the bytes of artefact {artifact.name} cannot be read: {error.strerror}",
                name=artifact.name,
                digest=artifact.digest,
            ) from error
        if seen.hexdigest() != artifact.digest:
            raise IntegrityError(
                f"artefact {artifact.name} has changed on disk",
                name=artifact.name,
                digest=artifact.digest,
            )

    def _put_all(
        self, campaign_id: str, files: Mapping[str, tuple[str, bytes]]
    ) -> Sequence[Artifact]:
        paths = {name: self._report(campaign_id, name) for name in files}
        # Where a file lies already there is a campaign: none is ever removed.
        if not (self._reports / campaign_id).is_dir():
            self._index.get_campaign(campaign_id)
        stored = []
        with self._lock:
            for name, (media_type, content) in files.items():
                digest = hashlib.sha256(content).hexdigest()
                with _no_space_is_typed(paths[name]):
                    self._write_both(self._blob(digest), paths[name], content)
                stored.append(Artifact(campaign_id, name, media_type, len(content), digest))
            self._index.save_artifacts(stored)
        return stored

    def _write_both(self, blob: Path, copy: Path, content: bytes) -> None:
        if not _holds(blob, content):
            _write(blob, content, mode=0o444)
            _sync_folder(blob.parent)
        # The copy is not waited for: what a power cut takes of it is still in the blob.
        _write(copy, content, mode=0o644, durable=False)

    def _blob(self, digest: str) -> Path:
        return self._blobs / digest[:2] / digest[2:]

    def _report(self, campaign_id: str, name: str) -> Path:
        parts = name.split("/")
        if not _SEGMENT.fullmatch(campaign_id):
            raise InvalidInputError(f"{campaign_id[:80]!r} cannot be the name of a folder")
        allowed = len(name) <= _MAX_NAME and len(parts) <= _MAX_DEPTH
        if not allowed or not all(_SEGMENT.fullmatch(part) for part in parts):
            raise InvalidInputError(
                f"{name[:80]!r} cannot be the name of an artefact",
                hint=f"Use up to {_MAX_DEPTH} parts of letters, digits and ._+- divided by /.",
            )
        return self._reports.joinpath(campaign_id, *parts)


def _equity_name(trial_id: str) -> str:
    return f"series/{trial_id}_equity.parquet"


def _holds(path: Path, content: bytes) -> bool:
    # Compared and not trusted: storing a file again mends a blob that was damaged.
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


# Temporary file, fsync, rename: after a kill the old file or the new one is there, whole; after a
# power cut too if it is durable and the folder is synced as well.
def _write(path: Path, content: bytes, *, mode: int, durable: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _no_space_is_typed(path: Path) -> Iterator[None]:
    try:
        yield
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise InvalidInputError(
            f"{path.name!r} is a file in one artefact name and a folder in another",
            hint="Give every artefact a name that is not the folder of another one.",
        ) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFullError(f"no space is left for {path}", path=path) from error
        raise StoreError(
            f"{path} cannot be written: {error.strerror}",
            hint="Check the permissions of the home directory and the health of the disk.",
        ) from error


# What a killed process left behind; old enough that no living one is still writing it.
def _sweep(blobs: Path) -> None:
    limit = time.time() - _STALE_SECONDS
    for left_over in blobs.glob(f"*/{_UNFINISHED}*"):
        try:
            if left_over.stat().st_mtime < limit:
                left_over.unlink()
        except FileNotFoundError:
            continue  # another process swept it
