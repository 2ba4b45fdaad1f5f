"""Small values that many messages share: dates, times, durations, parameters, enums."""

import datetime as dt
import json
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from stratlab.domain.errors import InvalidInputError
from stratlab_proto.v1 import common_pb2

# A Struct knows only doubles; beyond this a double no longer holds every integer.
_EXACT_INTEGERS = 2.0**53


def date_to_proto(day: dt.date) -> common_pb2.Date:
    """Return the message for a calendar day."""
    return common_pb2.Date(year=day.year, month=day.month, day=day.day)


def date_from_proto(message: common_pb2.Date, field: str) -> dt.date:
    """Return the calendar day of a message.

    Args:
        message: The day.
        field: Its place in the request, for the error.

    Raises:
        InvalidInputError: There is no such day.
    """
    try:
        return dt.date(message.year, message.month, message.day)
    except ValueError as error:
        raise InvalidInputError(f"{field}: {error}", field=field) from None


def time_to_proto(at: dt.datetime) -> Timestamp:
    """Return the message for a point in time (UTC)."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


def seconds_to_proto(seconds: float) -> Duration:
    """Return the message for a length of time."""
    message = Duration()
    message.FromTimedelta(dt.timedelta(seconds=seconds))
    return message


def seconds_from_proto(message: Duration) -> float:
    """Return the seconds of a duration."""
    # Integers first: the division then rounds once, and 1.368 stays 1.368.
    return (message.seconds * 10**9 + message.nanos) / 10**9


def numbers_to_proto(numbers: Mapping[str, int | float]) -> Struct:
    """Return parameter values as a Struct."""
    message = Struct()
    message.update(dict(numbers))
    return message


def values_from_proto(message: Struct) -> dict[str, object]:
    """Return the values of a flat Struct; integral numbers become int again.

    A Struct has only doubles, so ``2.0`` and ``2`` cannot be told apart: int is the kind that
    works in both places (as a window length and in arithmetic).
    """
    values: dict[str, object] = {}
    for name, value in message.fields.items():
        kind = value.WhichOneof("kind")
        if kind == "number_value":
            number = value.number_value
            exact = number.is_integer() and abs(number) <= _EXACT_INTEGERS
            values[name] = int(number) if exact else number
        else:
            values[name] = getattr(value, kind) if kind else None
    return values


def json_to_proto(text: str) -> Struct:
    """Return the Struct of a JSON object's text."""
    message = Struct()
    message.update(json.loads(text))
    return message
