"""Guesses which column of a file is which, from its name."""

import re
from collections.abc import Mapping, Sequence

from stratlab.domain.errors import InvalidInputError

# Canonical name -> names that people use, the likelier ones first; compared without case,
# spaces and signs. Numbers in front are dropped ("1. open").
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "date": (
        *("date", "datetime", "timestamp", "session", "day", "tradedate", "tradingday"),
        *("pricedate", "dt", "time"),
    ),
    "symbol": (
        *("symbol", "ticker", "sym", "instrument", "asset", "tickersymbol", "ric", "code"),
        *("security", "name"),
    ),
    "open": ("open", "o", "openprice", "priceopen", "op", "opening", "first"),
    "high": ("high", "h", "highprice", "pricehigh", "hi", "highest", "max"),
    "low": ("low", "l", "lowprice", "pricelow", "lo", "lowest", "min"),
    "close": (
        *("close", "c", "closeprice", "priceclose", "cl", "closing", "closelast", "last"),
        *("lastprice", "settle", "settlement", "price"),
    ),
    "volume": ("volume", "vol", "v", "qty", "quantity", "sharestraded", "tickvol", "tradedvolume"),
    "adj_close": (
        *("adjclose", "adjustedclose", "closeadj", "adjclosing", "adjustedclosingprice"),
        *("closeadjusted", "adjclosingprice"),
    ),
    "dividend": ("dividend", "dividends", "exdividend", "divcash", "dividendamount", "div"),
    "split": ("split", "stocksplits", "splits", "splitratio", "splitfactor", "splitcoefficient"),
}

NEEDED = ("date", "open", "high", "low", "close")

ColumnMap = Mapping[str, str]
"""Canonical name -> the file's own name."""


def guess_columns(names: Sequence[str], given: ColumnMap, where: str) -> dict[str, str]:
    """Return which column is which.

    Args:
        names: The file's columns.
        given: What the user said; goes before any guess.
        where: The file, for messages.

    Raises:
        InvalidInputError: A given column does not exist, or a needed one is not found.
    """
    found: dict[str, str] = {}
    for canonical, name in given.items():
        if canonical not in SYNONYMS:
            raise InvalidInputError(
                f"--column: {canonical!r} is none of {', '.join(SYNONYMS)}",
                hint="Write --column canonical=theirs, for example --column close=Last.",
            )
        if name not in names:
            raise InvalidInputError(
                f"{where} has no column {name!r}; it has {_listed(names)}",
                hint="Correct --column.",
                file=where,
                column=name,
            )
        found[canonical] = name
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    for canonical, synonyms in SYNONYMS.items():
        if canonical in found:
            continue
        for synonym in synonyms:
            own = plain.get(synonym)
            if own is not None and own not in found.values():
                found[canonical] = own
                break
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise InvalidInputError(
            f"{where}: no column looks like {', '.join(missing)}; it has {_listed(names)}",
            hint=f"Name it, for example --column {missing[0]}='{names[-1] if names else 'X'}'.",
            file=where,
            column=missing[0],
        )
    return {name: found[name] for name in SYNONYMS if name in found}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\s*\d+\s*[.:)]", "", name.lower()))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return shown + (", ..." if len(names) > 12 else "")  # noqa: PLR2004 - one line of text
