"""What a contract may use, as plain data from the registries: for the catalogue and the docs."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from stratlab.contract import checker, language, nodes
from stratlab.contract.document import MAX_DOCUMENT_BYTES
from stratlab.contract.indicators import MAX_LENGTH, REGISTRY
from stratlab.contract.model import (
    MAX_INDICATORS,
    MAX_MARKETS,
    MAX_PARAMETERS,
    MAX_RULES,
    SCHEMA_VERSION,
    StrategyContract,
)
from stratlab.domain.market import TIMEFRAMES

# Signature, type, and meaning of each function; one that is missing here is an error at import.
_FUNCTIONS = {
    "crosses_above": ("a, b", "condition", "a is above b, and was not one bar ago"),
    "crosses_below": ("a, b", "condition", "a is below b, and was not one bar ago"),
    "rising": ("x, n", "condition", "each of the newest n values of x is above the one before it"),
    "falling": ("x, n", "condition", "each of the newest n values of x is below the one before it"),
    "highest": ("x, n", "series", "greatest of the newest n values of x, this bar's included"),
    "lowest": ("x, n", "series", "least of the newest n values of x, this bar's included"),
    "change": ("x, n", "series", "x minus x n bars ago"),
    "abs": ("a", "as its argument", "absolute value"),
    "min": ("a, b, ...", "series if one is", "least of two to eight values"),
    "max": ("a, b, ...", "series if one is", "greatest of two to eight values"),
}
_POSITION = {
    "bars_held": "bars since the bar of the entry's fill, 0 on it",
    "entry_price": "price of the entry's fill; follows later splits",
}
FUNCTIONS: Mapping[str, tuple[str, str, str]] = {name: _FUNCTIONS[name] for name in nodes.FUNCTIONS}
"""Function -> arguments, type, meaning."""

POSITION: Mapping[str, str] = {name: _POSITION[name] for name in nodes.POSITION}
"""State of the position -> meaning; in exit rules only."""

_NUMBERS = {"integer": "whole number", "number": "number"}
_FINITE = 1e9

LIMITS: Mapping[str, int] = {
    "bytes of a document": MAX_DOCUMENT_BYTES,
    "markets": MAX_MARKETS,
    "indicators": MAX_INDICATORS,
    "entry rules": MAX_RULES,
    "exit rules": MAX_RULES,
    "parameters": MAX_PARAMETERS,
    "characters of a rule": language.MAX_TEXT,
    "words of a rule": language.MAX_TOKENS,
    "levels of nesting": language.MAX_NESTING,
    "bars of an offset or window": checker.MAX_LOOKBACK,
    "bars of an indicator's length": MAX_LENGTH,
}
"""Upper limits by what they bound."""


def contract_surface() -> dict[str, Any]:
    """Return all that a contract may use, as JSON types."""
    return {
        "schema_version": SCHEMA_VERSION,
        "parts": parts(),
        "timeframes": list(TIMEFRAMES),
        "prices": list(nodes.PRICES),
        "position": [
            {"name": name, "meaning": meaning, "in": "exit rules"}
            for name, meaning in POSITION.items()
        ],
        "functions": [
            {"name": name, "arguments": arguments, "type": kind, "meaning": meaning}
            for name, (arguments, kind, meaning) in FUNCTIONS.items()
        ],
        "indicators": [
            {
                "name": kind.name,
                "meaning": kind.summary,
                "sources": list(kind.sources),
                "parameters": {
                    name: {"whole": limits.whole, "min": limits.min, "max": limits.max}
                    for name, limits in kind.parameters.items()
                },
                "outputs": list(kind.outputs),
            }
            for _, kind in sorted(REGISTRY.items())
        ],
        "limits": dict(LIMITS),
    }


def parts() -> list[dict[str, Any]]:
    """Return the parts of a contract, the whole first: name, meaning, and fields of each."""
    schema = StrategyContract.model_json_schema(mode="validation")
    found = {StrategyContract.__name__: schema, **schema["$defs"]}
    return [
        {
            "name": name,
            "meaning": part["description"],
            "fields": [
                {
                    "name": field,
                    "type": _type(of),
                    "default": _default(field, of, part.get("required", ())),
                    "meaning": of.get("description", "Says which of the choices this is."),
                }
                for field, of in part["properties"].items()
            ],
        }
        for name, part in found.items()
    ]


def _default(name: str, field: Mapping[str, Any], required: Collection[str]) -> str:
    if name in required:
        return "required"
    value = field.get("default", {})
    if value in ([], {}, ""):
        return "empty"
    return "its own" if isinstance(value, dict) else json.dumps(value)


def _type(field: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one case per kind of schema
    # A JSON schema in a few words.
    match field:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " or ".join(map(json.dumps, values))
        case {"anyOf": choices} | {"oneOf": choices}:
            return " or ".join(dict.fromkeys(map(_type, choices)))
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "patternProperties": values}:
            return f"name: {_type(next(iter(values.values())))}"
        case {"type": "string", "pattern": str(pattern)} if pattern.startswith("^\\$"):
            return "`$name`"
        case {"type": "string"}:
            return "text"
        case {"type": "integer" | "number" as kind}:
            return f"{_NUMBERS[kind]}{_span(field)}"
        case _:
            return str(field["type"])


def _span(field: Mapping[str, Any]) -> str:
    # Bounds that only keep numbers finite say nothing.
    low, high = field.get("minimum"), field.get("maximum")
    above = field.get("exclusiveMinimum")
    told = [
        f"above {above:g}" if above is not None else "",
        f"from {low:g}" if low is not None and abs(low) < _FINITE else "",
        f"to {high:g}" if high is not None and abs(high) < _FINITE else "",
    ]
    return "".join(f" {part}" for part in told if part)
