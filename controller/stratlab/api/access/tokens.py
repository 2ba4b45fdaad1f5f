"""The token file: names, roles and expiry beside the digests of random tokens."""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, final

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    field_validator,
)

from stratlab.domain.access import OWNER, Caller, Role
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnsafeConfigurationError,
)
from stratlab.private_files import open_private

PREFIX = "stratlab_"
"""Begins every token, so that scanners for leaked secrets can find them."""

_SECRET_BYTES = 32
_MAX_TOKEN_CHARACTERS = 256
_MAX_FILE_BYTES = 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@final
@dataclass(frozen=True, slots=True)
class Token:
    """What is stored of a token.

    Attributes:
        name: Who uses it; audit events carry it as ``actor``.
        role: What it allows.
        expires: UTC; None for never.
        digest: sha256 of the token, hex. A slow hash would add nothing: it protects secrets that
            can be guessed, and nobody guesses 256 random bits. It would cost every call tens of
            milliseconds and hand the network a way to exhaust the controller.
    """

    name: str
    role: Role
    expires: datetime | None
    digest: str


@final
class TokenFile:
    """Reads and changes a token file; a change by anybody is seen at the next call.

    Args:
        path: The file, of mode 0600 and owned by this account.
        now: Returns the time in UTC.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        self._version: tuple[int, ...] = ()
        self._tokens: tuple[Token, ...] = ()

    def authenticate(self, secret: str) -> Caller:
        """Return the caller that a token stands for.

        Raises:
            UnauthenticatedError: The token is unknown, revoked or expired.
            UnavailableError: The file cannot be trusted or read, so nobody is let in.
        """
        try:
            tokens = self.tokens()
        except (UnsafeConfigurationError, InvalidInputError, NotFoundError) as error:
            # The caller need not know the paths of the server.
            raise UnavailableError(
                "the server cannot read its tokens",
                hint="Its operator finds the reason in the log.",
            ) from error
        digest = _digest(secret) if len(secret) <= _MAX_TOKEN_CHARACTERS else ""
        found: Token | None = None
        # All of them, always: how long it takes tells nothing about any of them.
        for token in tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None:
            raise UnauthenticatedError("the token is unknown or was revoked")
        if found.expires is not None and found.expires <= self._now():
            raise UnauthenticatedError(
                f"the token of {found.name} expired at {found.expires.isoformat()}"
            )
        return Caller(found.name, found.role)

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens; reads the file only when it changed.

        Raises:
            NotFoundError: There is no such file.
            UnsafeConfigurationError: Others can read or change it.
            InvalidInputError: It is no token file.
        """
        try:
            with open_private(self._path) as file:
                status = os.fstat(file.fileno())
                version = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
                if version != self._version:
                    self._tokens = _parse(self._path, file.read(_MAX_FILE_BYTES + 1))
                    self._version = version
        except FileNotFoundError:
            raise NotFoundError(
                f"there is no token file {self._path}",
                hint="Make the first token with `stratlab token create NAME --role viewer`.",
            ) from None
        except OSError as error:
            raise InvalidInputError(f"{self._path} cannot be read: {error.strerror}") from None
        return self._tokens

    def create(self, name: str, role: Role, expires: datetime | None = None) -> str:
        """Add a token and return it; this is the only time that it can be seen.

        Raises:
            InvalidInputError: The name cannot be used, or the expiry is in the past.
            AlreadyExistsError: Another token has that name.
        """
        if not _NAME.fullmatch(name) or name == OWNER.name:
            raise InvalidInputError(
                f"{name[:100]!r} cannot be the name of a token",
                hint=f"Use lower-case letters, digits, '.', '_' and '-'; {OWNER.name} is taken.",
            )
        if expires is not None and expires <= self._now():
            raise InvalidInputError(f"{expires.isoformat()} is in the past")
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        with self._changing() as tokens:
            if any(token.name == name for token in tokens):
                raise AlreadyExistsError(
                    f"there is a token named {name}",
                    hint=f"Run `stratlab token revoke {name}` first, or choose another name.",
                )
            tokens.append(Token(name, role, expires, _digest(secret)))
        return secret

    def revoke(self, name: str) -> None:
        """Remove a token; calls and streams with it are refused from now on.

        Raises:
            NotFoundError: No token has that name.
        """
        with self._changing() as tokens:
            kept = [token for token in tokens if token.name != name]
            if len(kept) == len(tokens):
                raise NotFoundError(
                    f"there is no token named {name[:100]!r}",
                    hint="Run `stratlab token list` to see the names.",
                )
            tokens[:] = kept

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        lock = os.open(f"{self._path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                tokens = list(self.tokens())
            except NotFoundError:
                tokens = []
            yield tokens
            self._write(tokens)
        finally:
            os.close(lock)

    def _write(self, tokens: list[Token]) -> None:
        records = [
            _Record(
                name=token.name,
                role=token.role.name.lower(),  # type: ignore[arg-type]  # checked by the model
                expires=token.expires,
                sha256=token.digest,
            )
            for token in tokens
        ]
        text = _Document(version=1, tokens=tuple(records)).model_dump_json(indent=2)
        # A reader sees the old file or the new one, never half of either.
        temporary = Path(f"{self._path}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(descriptor)
            temporary.rename(self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")]
    role: Literal["viewer", "researcher", "operator"]
    expires: AwareDatetime | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    tokens: tuple[_Record, ...]

    @field_validator("tokens")
    @classmethod
    def _names_are_usable(cls, tokens: tuple[_Record, ...]) -> tuple[_Record, ...]:
        names = {token.name for token in tokens}
        if len(names) < len(tokens) or OWNER.name in names:
            raise ValueError("a name is taken")
        return tokens


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _parse(path: Path, content: bytes) -> tuple[Token, ...]:
    try:
        usable = content if len(content) <= _MAX_FILE_BYTES else b""
        records = _Document.model_validate_json(usable).tokens
    except ValidationError:
        raise InvalidInputError(
            f"{path} is no token file",
            hint="Restore it, or remove it and make the tokens again with `stratlab token create`.",
        ) from None
    return tuple(
        Token(record.name, Role[record.role.upper()], record.expires, record.sha256)
        for record in records
    )
