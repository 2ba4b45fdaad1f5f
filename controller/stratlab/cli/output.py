"""What commands print: JSON on stdout, words for people, notes on stderr."""

import json
import math
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console
    from rich.table import Table

    from stratlab.domain.errors import StratlabError

_UPPER_CASE = "stratlab.v1.Outcome"  # as the domain spells it
_LEVEL = "stratlab.v1.Evaluation.Level"


def print_json(value: object) -> None:
    """Print a value as one line of JSON on stdout; NaN has no place in it."""
    # Elsewhere characters would be replaced, and JSON knows escapes of its own.
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not is_unicode, allow_nan=False, default=str)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_line(text: str = "") -> None:
    """Print a line for people on stdout; it is never wrapped, so paths stay whole."""
    sys.stdout.write(f"{clean(text)}\n")
    sys.stdout.flush()


def print_table(table: "Table") -> None:
    """Print a table for people on stdout."""
    _console(to_stderr=False).print(table)


def print_caveats(caveats: Iterable[str]) -> None:
    """Print what to know about the data behind a result."""
    for caveat in caveats:
        print_line(f"About the data: {caveat}")


def print_note(text: str) -> None:
    """Print a line for people on stderr; where nobody can read it, nothing else must suffer."""
    with suppress(OSError):
        sys.stderr.write(f"{clean(text)}\n")
        sys.stderr.flush()


def clean(text: str) -> str:
    """Return a text as one line that cannot steer a terminal."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in text
    )


def notes_console() -> "Console":
    """Return the console of progress (stderr)."""
    return _console(to_stderr=True)


def error_record(error: "StratlabError") -> dict[str, str]:
    """Return a typed error for JSON output."""
    return error.data | {"type": error.reason, "message": error.message, "hint": error.hint}


def plain(message: "Message") -> dict[str, Any]:
    """Return a proto message as JSON types, in the domain's spelling.

    Enums are lower-case words, times ISO 8601, durations seconds, days YYYY-MM-DD; what is
    absent or not a number is None. A campaign specification has the form that ``--spec`` reads.
    """
    if message.DESCRIPTOR.full_name == "stratlab.v1.CampaignSpec":
        return _specification(message)
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            item = field.message_type.fields_by_name["value"]
            values[field.name] = {key: _plain_value(item, value[key]) for key in sorted(value)}
        elif field.is_repeated:
            values[field.name] = [_plain_value(field, item) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            values[field.name] = None
        else:
            values[field.name] = _plain_value(field, value)
    return values


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415 (keeps start-up fast)

    # No markup: strategies and users write the text. A pipe gets lines that are not wrapped.
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, markup=False, highlight=False, width=width, soft_wrap=False)


# Descriptors and their values have no useful types.


def _plain_value(field: Any, value: Any) -> Any:  # noqa: ANN401
    if field.enum_type is not None:
        return _plain_enum(field.enum_type, value)
    if field.message_type is None:
        return None if isinstance(value, float) and not math.isfinite(value) else value
    convert: Callable[[Any], Any] = _CONVERTERS.get(field.message_type.full_name, plain)
    return convert(value)


def _plain_enum(enum: Any, number: int) -> str | None:  # noqa: ANN401
    if number == 0:
        return "failed" if enum.full_name == _LEVEL else None
    value = enum.values_by_number.get(number)
    if value is None:
        return str(number)  # of a newer server
    # UPPER_SNAKE of the enum's name leads every value (buf lint asserts it).
    prefix = "".join(f"_{c}" if c.isupper() else c for c in enum.name).lstrip("_").upper()
    name = str(value.name).removeprefix(f"{prefix}_")
    return name if enum.full_name == _UPPER_CASE else name.lower()


def _plain_struct_value(value: Any) -> Any:  # noqa: ANN401
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "struct_value":
            return _plain_struct(value.struct_value)
        case "list_value":
            return [_plain_struct_value(item) for item in value.list_value.values]
        case "string_value" | "bool_value" as kind:
            return getattr(value, kind)
        case _:
            return None


def _plain_struct(struct: Any) -> dict[str, Any]:  # noqa: ANN401
    return {key: _plain_struct_value(struct.fields[key]) for key in sorted(struct.fields)}


def _specification(message: Any) -> dict[str, Any]:  # noqa: ANN401
    from dataclasses import asdict  # noqa: PLC0415 (keeps start-up fast)

    from stratlab.api.convert.spec import spec_fields  # noqa: PLC0415 (keeps start-up fast)
    from stratlab.api.validation import parse_spec  # noqa: PLC0415 (keeps start-up fast)

    return asdict(parse_spec(spec_fields(message)))


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": lambda time: time.ToJsonString(),
    "google.protobuf.Duration": lambda span: (span.seconds * 10**9 + span.nanos) / 10**9,
    "google.protobuf.Struct": _plain_struct,
    "stratlab.v1.Date": lambda day: f"{day.year:04d}-{day.month:02d}-{day.day:02d}",
}
