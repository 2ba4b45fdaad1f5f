"""Layer 2, security: rules that know the calendar of the past."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import UNKNOWN, fold, fold_text
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource

_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_TEXT: Final = re.compile(
    rf"""(?<!\d)(?:
        (?:19|20)\d\d [-/.] (?:0?[1-9]|1[0-2]) (?: [-/.] (?:0?[1-9]|[12]\d|3[01]) )? (?!\d)
      | (?:0?[1-9]|[12]\d|3[01]) [-/.] (?:0?[1-9]|1[0-2]) [-/.] (?:19|20)?\d\d (?!\d)
      | (?:19|20)\d\d (?:0[1-9]|1[0-2]) (?:0[1-9]|[12]\d|3[01]) (?!\d)
      | (?:\d\d?\s*)? (?:{_MONTHS})[a-z]*\.? [\s,-]* (?:\d\d?,?\s*)? (?:(?:19|20)\d\d|'\d\d|\d\d)\b
      | (?:19|20)\d\d \s* [-q]? \s* q?[1-4] \b
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
    {"asi8", "isocalendar", "isoformat", "ordinal", "strftime", "timestamp", "timetuple"}
    | {"to_julian_date", "toordinal", "value", "year"}
)
# So far back or ahead that no rule means a day of a backtest by it: the units of pandas.
_EPOCH: Final = frozenset({"1970-01-01", "1900-01-01"})


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
        case ast.keyword(arg="year", value=value) if _is_year(fold(value)):
            return f"year={ast.unparse(value)}"
        case ast.Compare():
            return _compared(node)
        case ast.Dict(keys=keys):
            years = [key for key in keys if key is not None and _is_year(fold(key))]
            return f"a table by year {ast.unparse(years[0])}" if len(years) > 1 else None
        case _:
            return None


def _made(call: ast.Call) -> str | None:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    values = [fold(each.value if isinstance(each, ast.Starred) else each) for each in arguments]
    numbers = [value for value in values if isinstance(value, int | float) and value is not True]
    lists = [value for value in values if isinstance(value, list) and value]
    texts = [value for value in values if isinstance(value, str) and _YEAR_TEXT.search(value)]
    if texts and texts[0] in _EPOCH:
        return None
    if (numbers and abs(numbers[0]) > 1) or lists or texts:
        return ast.unparse(call)
    return None


def _compared(node: ast.Compare) -> str | None:
    sides = [node.left, *node.comparators]
    if not any(_is_moment(side) for side in sides):
        return None
    for side in sides:
        value = fold(side)
        years = value if isinstance(value, list) else [value]
        if any(_is_year(year) or _is_ordinal(year) for year in years):
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
