"""Prices from moves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.domain.market import PricePanel
from stratlab.selftest.worlds.world import session_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.selftest.worlds.noise import Moves

    Floats = NDArray[np.float64]

START = 100.0
"""Price of every symbol before the first session."""

_DECIMALS = 3  # the finest that zipline stores
_LEAST = 0.01


@final
@dataclass(frozen=True, slots=True)
class Paths:
    """Prices and volume of N symbols over T days, each of shape (T, N)."""

    open: "Floats"
    high: "Floats"
    low: "Floats"
    close: "Floats"
    volume: "Floats"

    def of(self, columns: "NDArray[np.intp]") -> "Paths":
        """Return some of the symbols."""
        return Paths(
            self.open[:, columns],
            self.high[:, columns],
            self.low[:, columns],
            self.close[:, columns],
            self.volume[:, columns],
        )

    def quoted(self, factor: "Floats", volume: "Floats") -> "Paths":
        """Return the same days at other prices, multiplied by a factor of shape (T, N)."""
        prices = (self.open * factor, self.high * factor, self.low * factor, self.close * factor)
        return Paths(*prices, volume)

    def panel(self) -> PricePanel:
        """Return the host's panel of these prices, in thousandths as data sets store them."""
        prices = [
            np.round(part, _DECIMALS) for part in (self.open, self.high, self.low, self.close)
        ]
        opens, highs, lows, closes = (np.maximum(part, _LEAST) for part in prices)
        names = tuple(f"SYN{number:03d}" for number in range(1, self.close.shape[1] + 1))
        return PricePanel(session_labels(), names, opens, highs, lows, closes, self.volume)


def walk(moves: "Moves", drift: "Floats") -> Paths:
    """Return the prices that moves make, with a drift from each open to its close.

    Args:
        moves: Of N symbols over T days.
        drift: Expected simple return of a session, broadcast to shape (T, N).
    """
    intraday = moves.intraday + np.log1p(drift)
    closes = START * np.exp(np.cumsum(moves.overnight + intraday, axis=0))
    opens = closes * np.exp(-intraday)
    highs = np.maximum(opens, closes) * np.exp(moves.up)
    lows = np.minimum(opens, closes) * np.exp(-moves.down)
    return Paths(opens, highs, lows, closes, moves.volume)
