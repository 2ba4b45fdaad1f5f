"""When the rules of a contract hold on one symbol, for all points."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.python_rules import uses_position
from stratlab.contract.vectorised.evaluator import lead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.contract.lowering import LoweredContract, LoweredRule
    from stratlab.contract.vectorised.arrays import Floats, Numbers, Truths
    from stratlab.contract.vectorised.series import SeriesTable


SIDES = {"long": 1, "short": -1}
"""Side of a rule -> sign of its position."""

_BLOCK = 1 << 15
"""Numbers in the arrays of a step: few enough to stay in the cache of the processor."""


@final
@dataclass(frozen=True, slots=True)
class Moments:
    """Traded bars at which something holds, searchable for all points at once.

    Attributes:
        holds: For each combination of points at each traded bar, shape (U, bars).
        combination: Of each point, shape (P,).
        places: Sorted places in ``holds``, flattened, with an end for each search to find.
    """

    holds: "Truths"
    combination: "Numbers"
    places: "Numbers"

    @classmethod
    def of(cls, holds: "Truths", combination: "Numbers") -> "Moments":
        """Return the moments of a condition."""
        places = np.append(np.flatnonzero(holds.ravel()), holds.size)
        return cls(holds, combination, places)

    def following(self, points: "Numbers", bars: "Numbers") -> "Numbers":
        """Return the first bar from the given ones on at which it holds; the end for none."""
        count = self.holds.shape[1]
        begin = self.combination[points] * count
        found = self.places[np.searchsorted(self.places, begin + bars)] - begin
        following: Numbers = np.minimum(found, count)
        return following

    def at(self, points: "Numbers", bars: "Numbers") -> "Truths":
        """Return whether it holds at the given bars."""
        return self.holds[self.combination[points], bars]


@final
class Signals:
    """The rules of a contract at every traded bar of a symbol.

    Args:
        lowered: The rules.
        table: Everything they read.

    Attributes:
        entries: When a position is opened, whatever its side.
        longs: When the long side says so; it goes first.
        exits: Sign of a position -> when a rule that knows no position closes it.
    """

    def __init__(self, lowered: "LoweredContract", table: "SeriesTable") -> None:
        self._table = table
        longs, shorts = (
            tuple(rule for rule in lowered.entries if rule.side == side) for side in SIDES
        )
        holds_long, combination = self._either(longs, (*longs, *shorts))
        holds_short, _ = self._either(shorts, (*longs, *shorts))
        self.longs = Moments.of(holds_long, combination)
        self.entries = Moments.of(holds_long | holds_short, combination) if shorts else self.longs
        self.exits: dict[int, Moments] = {}
        self._watching: dict[int, tuple[LoweredRule, ...]] = {}
        for side, sign in SIDES.items():
            rules = tuple(rule for rule in lowered.exits if rule.side == side)
            plain = tuple(rule for rule in rules if not uses_position(rule))
            self.exits[sign] = Moments.of(*self._either(plain, plain))
            self._watching[sign] = tuple(rule for rule in rules if uses_position(rule))

    def watches(self, side: int) -> bool:
        """Return whether an exit rule of a side reads the position."""
        return bool(self._watching[side])

    def leaves(
        self,
        side: int,
        points: "Numbers",
        bars: "Numbers",
        bars_held: "Floats",
        entry_price: "Floats",
    ) -> "Truths":
        """Return where the exit rules that read the position close it.

        Args:
            side: Sign of all positions.
            points: Shape (n,).
            bars: Traded bars, shape (n, k).
            bars_held: Shape (n, k).
            entry_price: Shape (n, 1).
        """
        gathered = self._table.gathered(points, self._table.place[bars], bars_held, entry_price)
        found = np.zeros(bars.shape, dtype=bool)
        for rule in self._watching[side]:
            found |= gathered.rule(rule.expression)
        return found

    def _either(
        self, rules: "Sequence[LoweredRule]", together: "Sequence[LoweredRule]"
    ) -> tuple["Truths", "Numbers"]:
        # At each combination of all rules in `together`, whether one of `rules` holds.
        chosen, combination = self._table.combinations([rule.expression for rule in together])
        places = len(self._table.stretches)
        found = np.zeros((len(chosen), len(self._table.place)), dtype=bool)
        height = max(_BLOCK // max(places, 1), 1)
        for begin in range(0, len(chosen), height):
            block = slice(begin, begin + height)
            for rule in rules:
                found[block] |= self._held(rule, chosen[block])
        return found, combination

    def _held(self, rule: "LoweredRule", points: "Numbers") -> "Truths":
        # Whether a rule holds at every traded bar, whatever the warm-up.
        back, table = lead(rule.expression), self._table
        holds = table.evaluator(points, back).rule(rule.expression)
        shape = (len(points), len(table.stretches) - back)
        return np.broadcast_to(holds, shape)[:, table.place - back]
