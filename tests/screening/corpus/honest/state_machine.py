"""Enumerations, pattern matching and a state machine."""

from __future__ import annotations

import enum
from typing import NamedTuple

from zipline.api import order, order_target, record, symbol


class Phase(enum.Enum):
    FLAT = enum.auto()
    LONG = enum.auto()
    COOLING = enum.auto()


class Levels(NamedTuple):
    entry: float
    stop: float
    take: float

    def moved(self, close: float) -> Levels:
        return self._replace(stop=max(self.stop, close * 0.95))


def initialize(context):
    context.asset = symbol("MSFT")
    context.phase = Phase.FLAT
    context.levels = None
    context.wait = 0


def next_phase(context, close: float, average: float) -> Phase:
    match context.phase, close > average:
        case Phase.FLAT, True:
            return Phase.LONG
        case Phase.LONG, _ if close < context.levels.stop or close > context.levels.take:
            return Phase.COOLING
        case Phase.COOLING, _ if context.wait <= 0:
            return Phase.FLAT
        case phase, _:
            return phase


def handle_data(context, data):
    if data.is_stale(context.asset):
        return
    close = data.current(context.asset, "close")
    average = data.history(context.asset, "close", 30, "1d").mean()
    phase = next_phase(context, close, average)
    if phase is not context.phase:
        if phase is Phase.LONG:
            context.levels = Levels(close, close * 0.95, close * 1.1)
            order(context.asset, 100)
        elif phase is Phase.COOLING:
            order_target(context.asset, 0)
            context.wait = 10
    elif phase is Phase.LONG:
        context.levels = context.levels.moved(close)
    context.wait -= 1
    context.phase = phase
    record(phase=phase.value, fields=len(Levels._fields))
