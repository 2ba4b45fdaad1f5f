"""The bars of one timeframe, and where their values are wanted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.bars import SymbolBars


@final
@dataclass(frozen=True, slots=True)
class Stretches:
    """Some bars of every basis, one stretch after another: M places.

    Attributes:
        begins, ends: First bar of each basis, and the bar after its last one, shape (B,). Bars
            before the first one that exists are numbered below 0.
        origins: Place of bar 0 of each basis, shape (B,).
        basis, bar: Of each place, shape (M,).
    """

    begins: "Numbers"
    ends: "Numbers"
    origins: "Numbers"
    basis: "Numbers"
    bar: "Numbers"

    @classmethod
    def of(cls, begins: "Numbers", ends: "Numbers") -> Self:
        """Return the stretches between the given bars."""
        lengths = ends - begins
        origins = np.cumsum(lengths) - lengths - begins
        basis = np.repeat(np.arange(len(lengths)), lengths)
        return cls(begins, ends, origins, basis, np.arange(len(basis)) - origins[basis])

    def __len__(self) -> int:
        return len(self.bar)

    def places(self, basis: "Numbers", bar: "Numbers") -> "Numbers":
        """Return where bars of bases stand."""
        return self.origins[basis] + bar

    def take(self, values: "Floats") -> "Floats":
        """Return values of shape (B, N) at each place, NaN before the first bar, shape (M,)."""
        taken = values[self.basis, np.maximum(self.bar, 0)]
        taken[self.bar < 0] = np.nan
        return taken


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """Bars of one timeframe, the strategy's own or a longer one.

    Attributes:
        adjusted: Prices and volume by name as of each basis, shape (B, N).
        stretches: Where values are wanted.
        starts: First bar that each point's indicators read, shape (P,).
        shows: For each place of the strategy's own bars the place of the newest longer bar that
            has ended, -1 for none; None for the own bars themselves.
        ended: Longer bars that have ended before each own bar, shape (own bars,), or None.
    """

    adjusted: "Mapping[str, Floats]"
    stretches: Stretches
    starts: "Numbers"
    shows: "Numbers | None" = None
    ended: "Numbers | None" = None

    @classmethod
    def own(cls, bars: "SymbolBars", starts: "Numbers", reach: int) -> Self:
        """Return the bars that are traded, with ``reach`` bars before the first of each basis."""
        stretches = Stretches.of(bars.bounds[:-1] - reach, bars.bounds[1:])
        return cls(bars.adjusted, stretches, starts)

    def longer(self, periods: "Numbers") -> "Frame":
        """Return the frame of longer bars.

        Args:
            periods: Of each bar of this frame; a longer bar is made of those of one period.
        """
        changes = np.flatnonzero(np.diff(periods)) + 1
        firsts = np.concatenate([[0], changes])
        lasts = np.append(changes, len(periods)) - 1
        number = np.searchsorted(firsts, np.arange(len(periods)), side="right") - 1
        own, bars = self.adjusted, np.maximum(self.stretches.bar, 0)
        adjusted = {
            "open": own["open"][:, firsts],
            "high": np.maximum.reduceat(own["high"], firsts, axis=1),
            "low": np.minimum.reduceat(own["low"], firsts, axis=1),
            "close": own["close"][:, lasts],
            "volume": np.add.reduceat(own["volume"], firsts, axis=1),
        }
        # The newest one that has ended is that before the one which holds the bar.
        ends = number[self.stretches.ends - 1]
        begins = np.minimum(np.maximum(number[np.maximum(self.stretches.begins, 0)] - 1, 0), ends)
        stretches = Stretches.of(begins, ends)
        ended = number[bars] - 1
        shows = stretches.places(self.stretches.basis, ended)
        return Frame(
            adjusted=adjusted,
            stretches=stretches,
            # The first one may have begun before the first bar that is read.
            starts=number[self.starts] + 1,
            shows=np.where((ended < 0) | (self.stretches.bar < 0), -1, shows),
            ended=number,
        )

    def shown(self, values: "Floats") -> "Floats":
        """Return values at this frame's places at the places of the own bars, along axis 1."""
        if self.shows is None:
            return values
        found = np.full((len(values), len(self.shows)), np.nan)
        (known,) = (self.shows >= 0).nonzero()
        found[:, known] = values[:, self.shows[known]]
        return found
