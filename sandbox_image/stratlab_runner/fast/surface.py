"""Lists every public call of a strategy, and whether the fast engine or zipline answers it.

``python -P -m stratlab_runner.fast.surface`` prints the list as a Markdown table.
"""

import sys
from enum import Enum
from typing import Final, NamedTuple, final

import zipline.api
from zipline._protocol import BarData

from stratlab_runner.contract import LAB_NAMES


@final
class Answer(Enum):
    """Who answers a call."""

    FAST = "arrays"
    """The fast engine; what is not proven of it falls back to zipline and is counted."""
    ZIPLINE = "zipline"
    """Zipline's own code, unchanged; it sees the market only through calls that are proven."""
    REFUSED = "refused"
    """Nobody: both engines refuse it in the same way."""


class Call(NamedTuple):
    """One public name.

    Attributes:
        owner: ``data``, ``zipline.api`` or ``lab``.
        name: Of the call.
        answer: Who answers it.
        falls_back: When zipline answers in place of the arrays, empty if never.
    """

    owner: str
    name: str
    answer: Answer
    falls_back: str


_DATA: Final = {
    "current": "a field that is no price, volume or last_traded; assets in an index or a series; "
    "last_traded of intraday data in before_trading_start",
    "history": "assets in a tuple or an index; an asset or field twice among several fields",
    "can_trade": "assets in an index or a series",
    "is_stale": "assets in an index or a series",
    "current_session": "",
}
_LAB: Final = {"window": "as history"}
_REFUSED: Final = frozenset({"continuous_future", "fetch_csv", "future_symbol"})
_EVERYWHERE: Final = "; before the first session; intraday bars too many for memory"


def calls() -> list[Call]:
    """Return every public name of ``data``, of ``zipline.api`` and of the lab, in order."""
    listed = [_call("data", name, _DATA) for name in dir(BarData) if not name.startswith("_")]
    listed += [_call("zipline.api", name, {}) for name in sorted(set(zipline.api.__all__))]
    listed += [_call("lab", name, _LAB) for name in LAB_NAMES]
    return listed


def _call(owner: str, name: str, fast: dict[str, str]) -> Call:
    if name in fast:
        when = fast[name]
        return Call(owner, name, Answer.FAST, when + _EVERYWHERE if when else "")
    is_refused = owner == "zipline.api" and name in _REFUSED
    return Call(owner, name, Answer.REFUSED if is_refused else Answer.ZIPLINE, "")


def table() -> str:
    """Return the list as a Markdown table."""
    lines = ["| call | answered by | falls back to zipline for |", "|---|---|---|"]
    lines += [
        f"| `{call.owner}.{call.name}` | {call.answer.value} | {call.falls_back} |"
        for call in calls()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
