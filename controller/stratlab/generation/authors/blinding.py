"""Hides symbols, dates and price levels, so that a model cannot recall the history it trades.

What is hidden is replaced by words that stay the same through a campaign, so that a text remains
readable. This is a precaution in prompts; what makes results true is elsewhere.
"""

import re
from collections.abc import Iterable
from typing import final

_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DATES = re.compile(
    rf"\b(?:\d{{1,2}}\.?\s+)?(?:{_MONTHS})\.?\s+(?:\d{{1,2}}(?:st|nd|rd|th)?,?\s+)?(?:19|20)\d\d\b"
    r"|\b(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])(?:[-/.](?:0?[1-9]|[12]\d|3[01]))?"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
    r"|\b(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])[./](?:19|20)?\d\d\b"
    r"|\b(?:19|20)\d\d(?:s\b|\b)",
    re.IGNORECASE,
)
# Seconds or longer since 1970, of the last fifty years.
_EPOCHS = re.compile(r"\b\d{9,19}(?:\.\d+)?\b")
_PRICES = re.compile(
    r"(?:[$\u20ac\u00a3]|\b(?:USD|EUR|GBP)\s?)\d[\d,]*(?:\.\d+)?"
    r"|\b(?:price|open|high|low|close|level)s?(?:\s+(?:of|at|is|was|=|:))?\s*[=:]?\s*\d[\d,]*(?:\.\d+)?",
    re.IGNORECASE,
)

_SHORT = 3


@final
class Blindfold:
    """Hides what belongs to one campaign.

    Args:
        names: Symbols and data sets, in the order of their new names.
        is_on: Whether anything is hidden.
    """

    def __init__(self, names: Iterable[str], *, is_on: bool = True) -> None:
        self._is_on = is_on
        self._names = {
            name.upper(): f"S{number}" for number, name in enumerate(dict.fromkeys(names), start=1)
        }
        # Short ones are words too: "ON" is a symbol, "on" is not.
        long = _either(name for name in self._names if len(name) > _SHORT)
        short = _either(name for name in self._names if len(name) <= _SHORT)
        self._pattern = re.compile(rf"(?<![\w$])(?:(?i:{long})|{short})(?!\w)")

    @property
    def is_on(self) -> bool:
        """Whether anything is hidden."""
        return self._is_on

    def __call__(self, text: str) -> str:
        """Return the text with everything hidden that would tell when and what is traded."""
        if not self._is_on:
            return text
        text = self._pattern.sub(lambda found: self._names[found.group().upper()], text)
        text = _DATES.sub("[date]", text)
        text = _EPOCHS.sub("[time]", text)
        return _PRICES.sub("[price]", text)


def _either(names: Iterable[str]) -> str:
    # Longest first; what matches nothing where there are none.
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    return "|".join(map(re.escape, longest_first)) or "(?!)"
