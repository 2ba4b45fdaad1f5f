"""Plants an effect into noise, as strong as an oracle of a wanted Sharpe ratio needs it.

How strong that is follows from expectations, not from how the luck of a world turned out: the
oracle's own result scatters around the wanted ratio as that of any strategy would.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.selftest.worlds.paths import START, Paths, walk
from stratlab.selftest.worlds.world import COUNT, SESSIONS_PER_YEAR, WARM_UP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.market import CostModel
    from stratlab.selftest.worlds.effects import Effect
    from stratlab.selftest.worlds.noise import Moves

    Floats = NDArray[np.float64]

_CLOSE = 0.02
"""How near the wanted ratio is near enough."""

_ROUNDS = 24
"""Of the search for a strength, at most: it halves its error in each."""

_RAREST = 0.05
"""Least share of the sessions with an effect, and of those without, that is reckoned with."""


@final
@dataclass(frozen=True, slots=True)
class Planting:
    """An effect in a world of one symbol.

    Attributes:
        paths: The prices.
        upward: Whether each session's planted drift is upwards: the oracle holds the symbol then,
            shape (T,).
        drift: Expected return of each session, the market's own included.
        volatility: Of each day.
    """

    paths: Paths
    upward: "NDArray[np.bool_]"
    drift: "Floats"
    volatility: "Floats"

    def oracle_sharpe(self, costs: "CostModel") -> float:
        """Return the ratio that the oracle is expected to have in all tiers together.

        Annual, after costs and in excess of holding the symbol: it saves the drift of the days on
        which it holds nothing, and the risk of those days is that of its excess returns.
        """
        inside = slice(WARM_UP, None)
        excess = np.where(self.upward, 0.0, -self.drift) - self.costs(costs)
        variance = np.where(self.upward, 0.0, self.volatility**2)[inside].mean()
        variance += excess[inside].var()
        return float(excess[inside].mean() / math.sqrt(variance) * math.sqrt(SESSIONS_PER_YEAR))

    def costs(self, costs: "CostModel") -> "Floats":
        """Return what the oracle pays in each session, as a share of its equity."""
        turns = np.diff(self.upward.astype(np.float64), prepend=0.0)
        fee = costs.commission_per_share / self.paths.open[:, 0]
        paid: Floats = np.abs(turns) * (costs.slippage_bps / 1e4 + fee)
        return paid


def plant(effect: "Effect", moves: "Moves", strength: "Floats", share: float) -> Planting:
    """Return the world that an effect makes of moves.

    Args:
        effect: What is planted.
        moves: Of one symbol.
        strength: What a session against the effect loses beside the market's drift, shape (T,).
        share: Of the sessions with the effect; they gain in return what the others lose, so that
            the market's drift stays what it was.
    """
    market = float(moves.market_drift()[0])
    gains = market + strength * (1.0 - share) / share
    losses = market - strength
    watch, upward = effect.watch(), np.zeros(COUNT, dtype=bool)
    overnight, intraday = np.exp(moves.overnight[:, 0]), np.exp(moves.intraday[:, 0])
    rises, falls = (overnight * intraday * (1.0 + each) for each in (gains, losses))
    close, is_up = START, False
    days = zip(rises.tolist(), falls.tolist(), moves.volume[:, 0].tolist(), strict=True)
    for day, (rise, fall, volume) in enumerate(days):
        upward[day] = is_up
        close *= rise if is_up else fall
        is_up = watch(close, volume)
    drift = np.where(upward, gains, losses)
    return Planting(walk(moves, drift[:, None]), upward, drift, moves.volatility[:, 0])


def search(
    effect: "Effect", moves: "Moves", sharpe: float, costs: "CostModel"
) -> tuple[Planting, float, float]:
    """Return the world whose oracle is expected to have a Sharpe ratio, with strength and share.

    Args:
        effect: What is planted.
        moves: Of one symbol.
        sharpe: Annual, after costs and in excess of holding the symbol.
        costs: Of trading.
    """
    market, inside = float(moves.market_drift()[0]), slice(WARM_UP, None)
    strength, share = 0.0, 0.5
    found = plant(effect, moves, np.full(COUNT, strength), share)
    for _ in range(_ROUNDS):
        # An effect that feeds itself makes more of its days: half a step lets that settle.
        idle = ~found.upward[inside]
        share = (share + min(max(1.0 - float(idle.mean()), _RAREST), 1.0 - _RAREST)) / 2.0
        excess = np.where(idle, strength - market, 0.0)
        variance = float((idle * found.volatility[inside] ** 2).mean() + excess.var())
        wanted = sharpe / math.sqrt(SESSIONS_PER_YEAR) * math.sqrt(variance)
        paid = float(found.costs(costs)[inside].mean())
        needed = market + (wanted + paid) / max(float(idle.mean()), _RAREST)
        strength = (strength + needed) / 2.0
        found = plant(effect, moves, np.full(COUNT, strength), share)
        if abs(found.oracle_sharpe(costs) - sharpe) < _CLOSE:
            break
    return found, strength, share
