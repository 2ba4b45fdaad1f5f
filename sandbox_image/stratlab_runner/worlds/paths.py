"""Another path of prices and volumes: bars drawn by the stationary bootstrap.

Source: Politis, Romano, "The Stationary Bootstrap", Journal of the American Statistical
Association 89, 1994.
"""

from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
from numpy.typing import NDArray

from stratlab_runner.worlds.grid import PRICES, Grid, filled

MEAN_BLOCK: Final = 10.0
"""Sessions of a block, in the mean."""

_DRAWS: Final = 8
_STRETCH: Final = 0.15  # a drawn bar is longer or shorter by so much: none is a copy
_THINNING: Final = 0.1
_REACH: Final = np.log(2.0)  # of a path beyond the prices that there were
_VOLUME_SESSIONS: Final = 20
_MAX_VOLUME: Final = 2**32 - 1
_UNITS: Final = 1000  # prices are stored in thousandths
_UNITS_PER_CENT: Final = 10


@final
@dataclass(frozen=True, slots=True)
class Moves:
    """Bars as logarithmic moves, all of shape (T, N); NaN where there is no bar.

    Splits are taken out. Moves add up: a close is the close before plus gap plus body.

    Attributes:
        gap: From the close before to the open.
        body: From open to close.
        up, down: How far the bar reaches beyond both, not negative.
        close: Logarithm of the close.
        volume: Relative to the mean of the sessions before.
    """

    gap: NDArray[np.float64]
    body: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid) -> Self:
        """Take the bars of a tier apart."""
        scale = np.log(np.cumprod(grid.ratios, axis=0))
        opens, highs, lows, closes = (np.log(grid.bars[name]) - scale for name in PRICES)
        before = np.vstack([np.full((1, closes.shape[1]), np.nan), filled(closes)[:-1]])
        gap = np.where(np.isnan(before) & ~np.isnan(opens), 0.0, opens - before)
        shares = grid.bars["volume"] * np.exp(scale)
        return cls(
            gap=gap,
            body=closes - opens,
            up=highs - np.maximum(opens, closes),
            down=np.minimum(opens, closes) - lows,
            close=closes,
            volume=shares / _trailing_mean(shares, _volume_rows(grid)),
        )


def draw_rows(
    grid: Grid, first: int, alive: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.intp]:
    """Return which bar each bar from row ``first`` on is made from, shape (T - first, N).

    Whole sessions are drawn, in blocks; a bar comes from the same place in its session, so that
    the shape of a session stays. All symbols take the same session, except where one was not
    traded then: it takes another of its own.

    Args:
        grid: The tier.
        first: First row after the cut.
        alive: Whether a symbol shall have bars, shape (T - first, N); its last one is never empty.
        random: Source of randomness.
    """
    numbers = grid.session_of[first:]
    drawn = _drawn_sessions(len(grid.sessions), int(numbers[-1] - numbers[0]) + 1, random)
    session = drawn[numbers - numbers[0]][:, None]
    starts = grid.first_rows
    lengths = np.diff([*starts, len(grid.labels)])
    place = (np.arange(first, len(grid.labels)) - starts[numbers])[:, None]
    born, died = grid.lives()
    outside = (session < born) | (session > died)
    session = np.where(outside, born + session % (died - born + 1), session)
    rows = starts[session] + np.minimum(place, lengths[session] - 1)
    known = grid.known
    for column in range(len(grid.symbols)):
        (living,) = alive[:, column].nonzero()
        if len(living) and not known[rows[living[-1], column], column]:
            rows[living[-1], column] = known[:, column].nonzero()[0][-1]
    return np.asarray(rows, np.intp)


def draw_against(
    grid: Grid,
    moves: Moves,
    first: int,
    alive: NDArray[np.bool_],
    random: np.random.Generator,
    column: int,
    bars: int,
) -> tuple[NDArray[np.intp], bool]:
    """Return rows as :func:`draw_rows` does, and whether they go the way of the true ones.

    Then they have to be mirrored. Of some draws it is the one that goes furthest.

    Args:
        grid: The tier.
        moves: Of the tier.
        first: First row after the cut.
        alive: Where symbols shall have bars, shape (T - first, N).
        random: Source of randomness.
        column: Of the symbol whose way counts.
        bars: Over how many of its bars after the cut.
    """
    draws = [draw_rows(grid, first, alive, random) for _ in range(_DRAWS)]
    ways = [_way(moves, rows[:, column], column, bars) for rows in draws]
    furthest = int(np.argmax(np.abs(ways)))
    true = _way(moves, np.arange(first, len(moves.gap)), column, bars)
    return draws[furthest], bool(np.sign(true) == np.sign(ways[furthest]))


def walk(
    grid: Grid,
    moves: Moves,
    rows: NDArray[np.intp],
    ratios: NDArray[np.float64],
    random: np.random.Generator,
    *,
    mirrored: bool,
) -> dict[str, NDArray[np.float64]]:
    """Return the bars of a path, field -> shape (T - first, N), on the ticks of the true ones.

    Args:
        grid: The tier.
        moves: Of the tier.
        rows: Which bar each is made from.
        ratios: Split ratios of the whole new tier, shape (T, N).
        random: Source of randomness.
        mirrored: Whether what went up goes down; the drift stays.
    """
    first = len(grid.labels) - len(rows)
    columns = np.arange(len(grid.symbols))
    stretch = np.exp(_STRETCH * random.standard_normal(rows.shape))
    gap, body, up, down = (
        part[rows, columns] * stretch for part in (moves.gap, moves.body, moves.up, moves.down)
    )
    if mirrored:
        drift = np.nanmean(moves.gap + moves.body, axis=0)
        gap, body, up, down = 2.0 * drift - gap, -body, down, up
    has_bar = ~np.isnan(gap)
    at = _start(moves, first) + np.cumsum(np.where(has_bar, gap + body, 0.0), axis=0)
    low, high = np.nanmin(moves.close, axis=0) - _REACH, np.nanmax(moves.close, axis=0) + _REACH
    at = np.where(has_bar, at, np.nan)
    opens, closes = _folded(at - body, low, high), _folded(at, low, high)
    scale = np.cumprod(ratios, axis=0)[first:]
    units = _tick_units(grid)
    paths = {
        "open": opens,
        "high": np.maximum(opens, closes) + up,
        "low": np.minimum(opens, closes) - down,
        "close": closes,
    }
    bars = {
        name: np.maximum(np.round(np.exp(path) * scale * _UNITS / units), 1.0) * units / _UNITS
        for name, path in paths.items()
    }
    bars["volume"] = _volumes(grid, moves, rows, scale, random)
    return bars


def _drawn_sessions(count: int, wanted: int, random: np.random.Generator) -> NDArray[np.intp]:
    # Never the first session: how it opened against the one before is not known.
    starts = random.integers(1, max(count, 2), wanted)
    begins = random.random(wanted) < 1.0 / MEAN_BLOCK
    begins[0] = True
    block = np.cumsum(begins) - 1
    start_at = begins.nonzero()[0]
    drawn = starts[start_at][block] + np.arange(wanted) - start_at[block]
    return np.asarray(np.minimum(1 + (drawn - 1) % max(count - 1, 1), count - 1), np.intp)


def _way(moves: Moves, rows: NDArray[np.intp], column: int, bars: int) -> float:
    steps = (moves.gap + moves.body)[rows, column]
    return float(steps[~np.isnan(steps)][:bars].sum())


def _start(moves: Moves, first: int) -> NDArray[np.float64]:
    # The last true close; what is not born yet begins where it truly did.
    before = filled(moves.close[:first])[-1]
    known = ~np.isnan(moves.close)
    born = np.take_along_axis(moves.close, known.argmax(axis=0)[None], axis=0)[0]
    return np.where(np.isnan(before), born, before)


def _folded(
    path: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Reflected at both bounds, so that no path of many years leaves what can be stored.
    width = high - low
    return low + width - np.abs((path - low) % (2.0 * width) - width)


def _tick_units(grid: Grid) -> NDArray[np.float64]:
    units = np.stack([np.round(grid.bars[name] * _UNITS) for name in PRICES])
    in_cents = (np.nan_to_num(units) % _UNITS_PER_CENT == 0).all(axis=(0, 1))
    return np.where(in_cents, float(_UNITS_PER_CENT), 1.0)


def _volumes(
    grid: Grid,
    moves: Moves,
    rows: NDArray[np.intp],
    scale: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    first = len(grid.labels) - len(rows)
    shares = grid.bars["volume"] * np.cumprod(grid.ratios, axis=0)
    level = filled(_trailing_mean(shares, _volume_rows(grid))[:first])[-1]
    level = np.where(np.isnan(level), np.nanmean(shares, axis=0), level)
    drawn = moves.volume[rows, np.arange(len(grid.symbols))] * level / scale
    drawn *= np.exp(_THINNING * random.standard_normal(rows.shape))
    traded = np.nan_to_num(grid.bars["volume"]).astype("int64")
    lot = np.maximum(np.gcd.reduce(traded, axis=0), 1)
    return np.asarray(np.clip(np.round(drawn / lot), 1.0, _MAX_VOLUME // lot) * lot)


def _volume_rows(grid: Grid) -> int:
    return max(1, _VOLUME_SESSIONS * len(grid.labels) // len(grid.sessions))


def _trailing_mean(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    sums, counts = (
        np.cumsum(each, axis=0, dtype="float64") for each in (np.nan_to_num(values), known)
    )
    for totals in (sums, counts):
        totals[rows:] -= totals[:-rows].copy()
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
