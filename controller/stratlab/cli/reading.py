"""Strict reading of what people type: numbers, name=value pairs, lists, dates."""

import math
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from stratlab.domain.errors import InvalidInputError, InvalidParametersError

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SEPARATORS = re.compile(r"[,\s]+")


def parse_number(text: str) -> int | float | None:
    """Return the number a text is, or None: no NaN, infinity, underscore, hex or blank."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return None


def parse_pairs(texts: Iterable[str], option: str) -> dict[str, int | float | None]:
    """Return the values of ``name=value`` texts; ``off`` becomes None.

    Args:
        texts: Each holds one pair or more, divided by commas or blanks.
        option: Where they come from, for the error.

    Raises:
        InvalidParametersError: A pair has another form, no number, or a name comes twice.
    """
    pairs: dict[str, int | float | None] = {}
    for text in parse_list(texts):
        name, sign, value = text.partition("=")
        number = parse_number(value)
        if not sign or not name.isidentifier() or (number is None and value != "off"):
            raise InvalidParametersError(
                f"{option}: {text[:100]!r} is not name=number",
                hint=f"Write for example {option} fast=10.",
            )
        if name in pairs:
            raise InvalidParametersError(f"{option}: {name} is given twice")
        pairs[name] = number
    return pairs


def parse_parameters(texts: Iterable[str], option: str) -> dict[str, int | float]:
    """Return the numbers of ``name=number`` texts.

    Raises:
        InvalidParametersError: A pair has another form, no number, or a name comes twice.
    """
    numbers: dict[str, int | float] = {}
    for name, number in parse_pairs(texts, option).items():
        if number is None:
            raise InvalidParametersError(f"{option}: {name} is not a number")
        numbers[name] = number
    return numbers


def parse_list(texts: Iterable[str]) -> list[str]:
    """Return the parts of texts that are divided by commas or blanks."""
    return [part for text in texts for part in _SEPARATORS.split(text) if part]


def read_text(path: Path, max_bytes: int, error: type[InvalidInputError]) -> str:
    """Return the text of a file, whatever else the path may lead to.

    Args:
        path: What was typed.
        max_bytes: No more is read.
        error: Raised for content that cannot be used.

    Raises:
        InvalidInputError: The file cannot be read, is too large or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as failure:
        hint = "Give the path of a file that you may read."
        raise InvalidInputError(f"{path} cannot be read: {failure.strerror}", hint=hint) from None
    except ValueError:  # a NUL in the path
        raise InvalidInputError("the path of the file cannot be used") from None
    if len(content) > max_bytes:
        raise error(f"{path} has more than {max_bytes} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        hint = "Save the file as UTF-8 text."
        raise error(f"{path} is not UTF-8: byte {failure.start}", hint=hint) from None


def not_unicode(error: UnicodeEncodeError) -> InvalidInputError:
    """Return the typed error for an argument of bytes that are no UTF-8."""
    text = error.object[:100]
    return InvalidInputError(f"{text!r} is not Unicode text", hint="Write names in UTF-8.")


def parse_date(text: str, option: str) -> date:
    """Return a day.

    Raises:
        InvalidInputError: The text is no day of the form YYYY-MM-DD.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"{option}: {text[:40]!r} is not a day (YYYY-MM-DD)",
            hint=f"Write for example {option} 2005-12-31.",
        ) from None
