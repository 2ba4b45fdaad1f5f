"""The luck of a world: moves of days on which nothing can be predicted but how large they are.

Prices move in two steps a day, over night and from open to close. Drifts, of the market or of what
is planted, are added to the second step, because a decision at one close is carried out at the
next open.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.market_data.imports.synthetic import ARCH, COMMON, DEGREES, GARCH, VOLATILITY
from stratlab.market_data.us_daily.recipe import load_us_daily
from stratlab.selftest.worlds.world import COUNT, SESSIONS_PER_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MARKET_SHARPE = 0.4
"""Annual Sharpe ratio of the market's own drift."""

_OVERNIGHT = 0.25  # share of a day's variance
_REACH = 0.4  # of highs and lows beyond open and close, in daily volatilities
_LOG_VOLUME = 18.0  # so much that no account grows out of a market in which it finds something
_WILDEST = 25.0  # variance, in terms of its mean

_RESAMPLED = ("AAPL", "IBM", "MSFT")  # the symbols of us-daily that have all sessions
_MEAN_BLOCK = 20.0


@final
@dataclass(frozen=True, slots=True)
class Moves:
    """Log moves of N symbols over T days, none of which can be foreseen.

    Attributes:
        overnight: From the close before to the open, shape (T, N).
        intraday: From open to close.
        up, down: From the higher of open and close to the high, and from the lower to the low; at
            least 0.
        volatility: Of the whole day, known the evening before.
        volume: Shares.
    """

    overnight: "Floats"
    intraday: "Floats"
    up: "Floats"
    down: "Floats"
    volatility: "Floats"
    volume: "Floats"

    def market_drift(self) -> "Floats":
        """Return the daily drift that a market pays for its risk, shape (N,)."""
        daily = np.sqrt((self.volatility**2).mean(axis=0))
        drift: Floats = MARKET_SHARPE / np.sqrt(SESSIONS_PER_YEAR) * daily
        return drift


def garch_moves(random: np.random.Generator, symbols: int, volatility: float = VOLATILITY) -> Moves:
    """Return moves with clusters of volatility, fat tails and a factor common to all symbols.

    Args:
        random: Random numbers.
        symbols: How many, N.
        volatility: Daily, in the long run.
    """
    shape = (COUNT, symbols)
    unit = np.sqrt((DEGREES - 2.0) / DEGREES)
    shared = np.sqrt(COMMON) * random.standard_t(DEGREES, (COUNT, 1))
    shocks = unit * (shared + np.sqrt(1.0 - COMMON) * random.standard_t(DEGREES, shape))
    daily = volatility * np.sqrt(_garch(shocks))
    over_night = random.standard_normal(shape) * np.sqrt(_OVERNIGHT) * daily
    inside = shocks * np.sqrt(1.0 - _OVERNIGHT) * daily
    # Half the variance is taken off, so that prices, not their logarithms, go nowhere.
    reach = np.abs(random.normal(0.0, _REACH, (2, *shape))) * daily
    return Moves(
        overnight=over_night - _OVERNIGHT * daily**2 / 2.0,
        intraday=inside - (1.0 - _OVERNIGHT) * daily**2 / 2.0,
        up=reach[0],
        down=reach[1],
        volatility=daily,
        volume=np.round(random.lognormal(_LOG_VOLUME, 0.3, shape)),
    )


def bootstrap_moves(random: np.random.Generator, symbols: int) -> Moves:
    """Return days of us-daily in blocks, each day as it was or turned upside down.

    Blocks keep the clusters of volatility, and days whole keep what symbols have in common. The
    random sign of each day, the same for all symbols, leaves no direction to be foreseen.

    Source: Politis and Romano, "The Stationary Bootstrap" (1994); the signs are those of Wu,
    "Jackknife, Bootstrap and Other Resampling Methods in Regression Analysis" (1986).
    """
    known = _us_daily_moves()
    chosen = random.choice(len(_RESAMPLED), symbols, replace=False)
    days = _blocks(random, len(known.overnight))
    upright = (random.random(COUNT) < 0.5)[:, None]  # noqa: PLR2004 - a fair coin
    sign = np.where(upright, 1.0, -1.0)
    picked = [field[days][:, chosen] for field in (known.overnight, known.intraday)]
    total = picked[0] + picked[1]
    up, down = known.up[days][:, chosen], known.down[days][:, chosen]
    return Moves(
        overnight=sign * picked[0],
        # The mean of a price that moves by +x or -x in logarithms is cosh(x).
        intraday=sign * picked[1] - np.log(np.cosh(total)),
        up=np.where(upright, up, down),
        down=np.where(upright, down, up),
        volatility=np.broadcast_to(np.sqrt((total**2).mean(axis=0)), total.shape),
        volume=known.volume[days][:, chosen],
    )


def _garch(shocks: "Floats") -> "Floats":
    # Variance of each day in terms of its mean, GARCH(1, 1), shape (T, N).
    variance = np.empty_like(shocks)
    current = np.ones(shocks.shape[1])
    for row, squared in enumerate(shocks**2):
        variance[row] = current
        current = np.minimum(1.0 - ARCH - GARCH + (ARCH * squared + GARCH) * current, _WILDEST)
    return variance


def _blocks(random: np.random.Generator, length: int) -> "NDArray[np.int64]":
    begins = random.random(COUNT) < 1.0 / _MEAN_BLOCK
    begins[0] = True
    first = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    start = random.integers(0, length, COUNT)[first]
    days: NDArray[np.int64] = (start + np.arange(COUNT) - first) % length
    return days


@lru_cache(maxsize=1)
def _us_daily_moves() -> Moves:
    content = load_us_daily()
    prices = content.prices
    fields = {
        name: prices.pivot_table(index="session", columns="symbol", values=name)[[*_RESAMPLED]]
        for name in ("open", "high", "low", "close", "volume")
    }
    before = fields["close"].shift(1)
    for session, symbol, ratio in zip(
        *(content.splits[name] for name in ("session", "symbol", "ratio")), strict=True
    ):
        if symbol in before:
            before.loc[session, symbol] *= ratio
    logs = {name: np.log(table.to_numpy("float64")[1:]) for name, table in fields.items()}
    overnight = logs["open"] - np.log(before.to_numpy("float64")[1:])
    intraday = logs["close"] - logs["open"]
    # Without the drift that these survivors had.
    intraday = intraday - (overnight + intraday).mean(axis=0)
    return Moves(
        overnight=overnight,
        intraday=intraday,
        up=np.maximum(logs["high"] - np.maximum(logs["open"], logs["close"]), 0.0),
        down=np.maximum(np.minimum(logs["open"], logs["close"]) - logs["low"], 0.0),
        volatility=np.empty(0),
        volume=np.exp(logs["volume"]),
    )
