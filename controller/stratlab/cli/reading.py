"""Strict reading of what people type: numbers, name=value pairs, lists, dates."""

import math
import re
from collections.abc import Iterable
from datetime import date

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


def parse_date(text: str, option: str) -> date:
    """Return a day.

    Raises:
        InvalidInputError: The text is no day of the form YYYY-MM-DD.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{option}: {text[:40]!r} is not a day (YYYY-MM-DD)") from None
