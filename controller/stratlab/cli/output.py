"""What commands print: JSON on stdout, words for people, notes on stderr."""

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console
    from rich.table import Table

    from stratlab.domain.errors import StratlabError


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
    # keeps start-up fast: whoever has a message has loaded the client
    from stratlab.client.plain import plain as plain_message  # noqa: PLC0415

    return plain_message(message, {"stratlab.v1.CampaignSpec": _specification})


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415 (keeps start-up fast)

    # No markup: strategies and users write the text. A pipe gets lines that are not wrapped.
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, markup=False, highlight=False, width=width, soft_wrap=False)


def _specification(message: Any) -> dict[str, Any]:  # noqa: ANN401
    from dataclasses import asdict  # noqa: PLC0415 (keeps start-up fast)

    from stratlab.api.convert.spec import spec_fields  # noqa: PLC0415 (keeps start-up fast)
    from stratlab.api.validation import parse_spec  # noqa: PLC0415 (keeps start-up fast)

    return asdict(parse_spec(spec_fields(message)))
