"""Proto messages as JSON types, in the domain's spelling."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

_UPPER_CASE = "stratlab.v1.Outcome"  # as the domain spells it
_LEVEL = "stratlab.v1.Evaluation.Level"

Converters = Mapping[str, Callable[[Any], Any]]
"""Turns messages into JSON types, by the full names of their types."""


def plain(message: "Message", converters: Converters = MappingProxyType({})) -> dict[str, Any]:
    """Return a proto message as JSON types.

    Enums are lower-case words, times ISO 8601, durations seconds, days YYYY-MM-DD; what is
    absent or not a number is None.

    Args:
        message: Of the public API.
        converters: For types that the caller shows in another way.
    """
    record: dict[str, Any] = _plain_message(message, {**_CONVERTERS, **converters})
    return record


# Descriptors and their values have no useful types.


def _plain_message(message: Any, converters: Converters) -> Any:  # noqa: ANN401
    convert = converters.get(message.DESCRIPTOR.full_name)
    if convert is not None:
        return convert(message)
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            item = field.message_type.fields_by_name["value"]
            values[field.name] = {
                key: _plain_value(item, value[key], converters) for key in sorted(value)
            }
        elif field.is_repeated:
            values[field.name] = [_plain_value(field, item, converters) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            values[field.name] = None
        else:
            values[field.name] = _plain_value(field, value, converters)
    return values


def _plain_value(field: Any, value: Any, converters: Converters) -> Any:  # noqa: ANN401
    if field.enum_type is not None:
        return _plain_enum(field.enum_type, value)
    if field.message_type is None:
        return None if isinstance(value, float) and not math.isfinite(value) else value
    return _plain_message(value, converters)


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


def _plain_struct(struct: Any) -> dict[str, Any]:  # noqa: ANN401
    return {key: _plain_struct_value(struct.fields[key]) for key in sorted(struct.fields)}


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


_CONVERTERS: Converters = {
    "google.protobuf.Timestamp": lambda time: time.ToJsonString(),
    "google.protobuf.Duration": lambda span: (span.seconds * 10**9 + span.nanos) / 10**9,
    "google.protobuf.Struct": _plain_struct,
    "stratlab.v1.Date": lambda day: f"{day.year:04d}-{day.month:02d}-{day.day:02d}",
}
