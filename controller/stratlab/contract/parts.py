"""What the parts of a contract are made of: texts that are safe to emit, numbers, a base class."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from stratlab.contract.docstrings import read_docstring
from stratlab.contract.language import MAX_TEXT
from stratlab.contract.timeframes import canonical_timeframe

# Everything that an emitter may print is one of these; nothing else ever reaches code.
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z](_?[a-z0-9])*$", min_length=1, max_length=32)
]
ParameterName = Annotated[
    str, StringConstraints(pattern=r"^\$[a-z](_?[a-z0-9])*$", min_length=2, max_length=33)
]
Version = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}$", max_length=20)
]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
# No character that steers a terminal, ends a line unseen, or turns the direction of reading.
_PROSE = (
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    r"\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]*$"
)
Thesis = Annotated[str, StringConstraints(max_length=4000, pattern=_PROSE)]
Note = Annotated[str, StringConstraints(max_length=500, pattern=_PROSE)]
RuleText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Whole = Annotated[int, Field(ge=-(10**9), le=10**9)]
Side = Literal["long", "short"]


def _timeframe(text: str) -> str:
    try:
        return canonical_timeframe(text)
    except ValueError as error:
        raise PydanticCustomError("timeframe", "{message}", {"message": str(error)}) from None


Timeframe = Annotated[
    str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}[mhdwM]$"), AfterValidator(_timeframe)
]


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    # The schema tells of each field what the class says of it.
    schema["description"], described = read_docstring(model)
    for name, text in described.items():
        schema["properties"][name]["description"] = text


class Part(BaseModel):
    """A part of a contract: frozen, strict about types, without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=_describe)


_LARGEST = 10**300


def one_spelling(value: object, *, whole: bool) -> object:
    """Return 20 for 20.0 where whole numbers belong, and 2.0 for 2 elsewhere."""
    if isinstance(value, float) and whole and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and not whole:
        # What no float can hold stays as it is, and is then refused as too large.
        return float(value) if abs(value) < _LARGEST else value
    return value
