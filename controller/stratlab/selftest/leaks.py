"""Strategies that read what a container must not know: tomorrow's prices, each by another way."""

from dataclasses import dataclass
from typing import Final, final

from stratlab.contract.candidate import candidate_hash
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage

_TRADER: Final = """
import numpy as np
from zipline.api import get_datetime, order_target, symbol


def initialize(context):
    context.asset = symbol(context.symbols[0])


def handle_data(context, data):
    if not data.can_trade(context.asset):
        return
    shares = int(0.9 * context.portfolio.portfolio_value / data.current(context.asset, "close"))
    held = context.portfolio.positions[context.asset].amount
    wanted = shares if rises(context, data) else 0
    if bool(wanted) != bool(held):
        order_target(context.asset, wanted)
"""

_MOUNT: Final = """

CLOSES = np.load("/data/days/close.npy")[:, 0]


def rises(context, data):
    last = data.history(context.asset, "close", 2, "1d").to_numpy()
    seen = np.isclose(CLOSES[1:], last[1], atol=5e-4) & np.isclose(CLOSES[:-1], last[0], atol=5e-4)
    rows = np.flatnonzero(seen) + 1
    return len(rows) > 0 and rows[-1] + 2 < len(CLOSES) and CLOSES[rows[-1] + 2] > last[1]
"""

_PORTAL: Final = """

def rises(context, data):
    portal = find_portal(context)
    days = portal.trading_calendar.sessions
    here = days.searchsorted(get_datetime().tz_localize(None).normalize())
    try:
        later = portal.get_spot_value(context.asset, "close", days[here + 2], "daily")
    except Exception:
        return False
    return later > data.current(context.asset, "close")
"""

_CONTEXT: Final = """

def find_portal(context):
    return context.data_portal
"""

_GARBAGE: Final = """

import gc

from zipline.data.data_portal import DataPortal

FOUND = []


def find_portal(context):
    if not FOUND:
        FOUND.extend(each for each in gc.get_objects() if isinstance(each, DataPortal))
    return FOUND[0]
"""

_HONEST: Final = """

def rises(context, data):
    last = data.history(context.asset, "close", 20, "1d").to_numpy()
    return last[-1] > last.mean()
"""

HONEST: Final = "honest"
"""Name of the one that reads nothing: where it is not admitted either, the others prove nothing."""


@final
@dataclass(frozen=True, slots=True)
class Leak:
    """A strategy that knows tomorrow.

    Attributes:
        name: How it reads what is to come.
        source: Zipline Python.
    """

    name: str
    source: str

    def candidate(self) -> Candidate:
        """Return it as a generator would."""
        return Candidate(
            hash=candidate_hash("", self.source),
            strategy_id=f"leak_{self.name}",
            thesis="It knows tomorrow.",
            source=self.source,
            contract="",
            parameters={},
            lineage=Lineage(GeneratorKind.TEMPLATE, "leak"),
            parameter_points=({},),
        )


LEAKS: Final = (
    Leak("mount", _TRADER + _MOUNT),
    Leak("context", _TRADER + _PORTAL + _CONTEXT),
    Leak("garbage", _TRADER + _PORTAL + _GARBAGE),
)
"""All of them."""

CONTROL: Final = Leak(HONEST, _TRADER + _HONEST)
"""The same trader without a leak."""
