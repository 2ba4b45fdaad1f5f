"""Layer 2, security: rules that know the calendar of the past."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import UNKNOWN, fold, fold_text
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource

_MONTH: Final = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR: Final = r"(?:19|20)\d\d"
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_TEXT: Final = re.compile(
    rf"""(?<![\d.])(?:
        {_YEAR} [-/.] (?:0?[1-9]|1[0-2]) [-/.] {_DAY} (?!\d)
      | {_YEAR} [-/] (?:0?[1-9]|1[0-2]) (?!\d)
      | {_DAY} [-/.] (?:0?[1-9]|1[0-2]) [-/.] {_YEAR} (?!\d)
      | {_YEAR} (?:0[1-9]|1[0-2]) (?:0[1-9]|[12]\d|3[01]) (?!\d)
      | \b {_MONTH} \b \.? [\s,-]* (?:{_DAY} (?:st|nd|rd|th)? ,? \s*)? {_YEAR} \b
      | {_DAY} [\s-]* {_MONTH} \b \.? [\s,-]* (?:{_YEAR}|'?\d\d) \b
      | {_YEAR} \s* -? \s* q[1-4] \b
      | \b q[1-4] \s* -? \s* {_YEAR} \b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_YEAR_TEXT: Final = re.compile(r"(?:19|20)\d\d")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2100
_MAKERS: Final = frozenset(
    {
        "datetime.date",
        "datetime.datetime",
        "pandas.Timestamp",
        "pandas.Period",
        "pandas.to_datetime",
    }
    | {"datetime.date.fromisoformat", "datetime.datetime.fromisoformat", "numpy.datetime64"}
    | {"datetime.date.fromordinal", "datetime.datetime.fromordinal", "datetime.datetime.strptime"}
    | {"datetime.date.fromtimestamp", "datetime.datetime.fromtimestamp", "pandas.date_range"}
    | {"datetime.datetime.utcfromtimestamp", "datetime.date.fromisocalendar"}
    | {"pandas.Timestamp.fromordinal", "pandas.Timestamp.fromtimestamp", "pandas.bdate_range"}
    | {"pandas.DatetimeIndex", "pandas.PeriodIndex", "pandas.period_range"}
)
# What turns a moment into a number that can be compared with a remembered one.
_NUMBERS: Final = frozenset(
    {"asi8", "isocalendar", "isoformat", "strftime", "timestamp", "timetuple"}
    | {"to_julian_date", "toordinal", "year"}
)
# Where computers begin to count.
_EPOCH: Final = frozenset({"1970-01-01", "1900-01-01"})
_EPOCH_PARTS: Final = [1970, 1, 1]
_SPANS: Final = frozenset({"datetime.timedelta", "numpy.timedelta64", "pandas.Timedelta"})
_LONG_SPAN: Final = 3650
"""Days after which a span leads to a date rather than back a window."""
_NANOSECONDS: Final = 10**17
"""Since 1970, as a timestamp's ``value``: in 1973."""


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about dates that are written into the source."""
    found: set[int] = set()
    for node in source.nodes:
        text = _date_in(source, node)
        if text is not None and (line := getattr(node, "lineno", 0)) not in found:
            found.add(line)
            yield rules.CALENDAR_DATE.at(node, author=source.author, text=text)


def _date_in(source: StrategySource, node: ast.AST) -> str | None:  # noqa: PLR0911 - one for each kind of node
    match node:
        case ast.Constant(value=str() | bytes()) | ast.JoinedStr() | ast.BinOp():
            if isinstance(source.parent(node), ast.Expr):
                return None
            match = _TEXT.search(fold_text(node) or "")
            return match[0] if match and match[0] not in _EPOCH else None
        case ast.Call(func=called) if source.names.origins(called) & _MAKERS:
            return _made(node)
        case ast.Call(func=called) if source.names.origins(called) & _SPANS:
            spans = [fold(each) for each in _arguments(node)]
            is_long = any(isinstance(span, int | float) and span > _LONG_SPAN for span in spans)
            return ast.unparse(node) if is_long else None
        case ast.keyword(arg="year", value=value) if _is_year(fold(value)):
            return f"year={ast.unparse(value)}"
        case ast.Compare():
            return _compared(node)
        case ast.Dict(keys=keys):
            years = [key for key in keys if key is not None and _is_year(fold(key))]
            return f"a table by year {ast.unparse(years[0])}" if len(years) > 1 else None
        case _:
            return None


def _arguments(call: ast.Call) -> list[ast.expr]:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return [each.value if isinstance(each, ast.Starred) else each for each in given]


def _made(call: ast.Call) -> str | None:
    values = [fold(each) for each in _arguments(call)]
    for value in values:
        parts = value if isinstance(value, list) else [value]
        texts = [part for part in parts if isinstance(part, str) and part not in _EPOCH]
        known = any(_is_year(part) or _is_ordinal(part) for part in parts)
        if (known and values != _EPOCH_PARTS) or any(map(_YEAR_TEXT.search, texts)):
            return ast.unparse(call)
    return None


def _compared(node: ast.Compare) -> str | None:
    sides = [node.left, *node.comparators]
    values = [fold(side) for side in sides]
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    is_moment = any(map(_is_moment, sides)) and any(_is_year(p) or _is_ordinal(p) for p in parts)
    is_value = any(isinstance(side, ast.Attribute) and side.attr == "value" for side in sides)
    if is_moment or (is_value and any(isinstance(p, int) and p > _NANOSECONDS for p in parts)):
        return ast.unparse(node)
    return None


def _is_moment(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _NUMBERS for part in ast.walk(node))


def _is_year(value: object) -> bool:
    return (
        value is not UNKNOWN
        and isinstance(value, int | float)
        and _FIRST_YEAR <= value <= _LAST_YEAR
    )


def _is_ordinal(value: object) -> bool:
    # Days since the year 1, or seconds to nanoseconds since 1970.
    if isinstance(value, str):
        return bool(_YEAR_TEXT.fullmatch(value))
    return isinstance(value, int | float) and abs(value) > 100_000  # noqa: PLR2004 - the year 273
