"""Dataclasses to canonical JSON and back, exactly: every float returns bit for bit."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from stratlab.domain.errors import IntegrityError, InvalidInputError
from stratlab.domain.events import canonical_json

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    # Built on first use: start-up needs none of them. Built twice by two threads, no harm done.
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_tree(value: object) -> Any:  # noqa: ANN401 (JSON has no narrower type)
    """Return a dataclass as plain JSON values.

    Raises:
        InvalidInputError: A field holds something that JSON cannot express.
    """
    try:
        return _adapter(type(value)).dump_python(value, mode="json", warnings=False)
    except ValueError as error:
        raise _unstorable(value, error) from error


def encode(value: object) -> str:
    """Return the canonical JSON text of a dataclass.

    Raises:
        InvalidInputError: A number is NaN or infinite, or a text is not valid Unicode;
            stored, it could not be read back.
    """
    tree = to_tree(value)
    try:
        text = canonical_json(tree)
        text.encode()
    except ValueError as error:
        raise _unstorable(value, error) from error
    return text


def _unstorable(value: object, error: ValueError) -> InvalidInputError:
    return InvalidInputError(
        f"this {type(value).__name__} cannot be stored: {error}",
        hint="Numbers must be finite (an undefined one is None) and text valid Unicode.",
    )


def decode(kind: type[T], text: str) -> T:
    """Return the dataclass that :func:`encode` wrote.

    Raises:
        IntegrityError: The text is not what was written.
    """
    try:
        value: T = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(
            f"a stored {kind.__name__} cannot be read: {place}: {first['msg']}"
        ) from error
    return value


def to_microseconds(moment: datetime) -> int:
    """Return UTC microseconds since 1970 of an aware datetime, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the UTC datetime of :func:`to_microseconds`."""
    return _EPOCH + value * _MICROSECOND
