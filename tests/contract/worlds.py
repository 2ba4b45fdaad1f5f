"""Random markets for tests: gaps, flat bars, bars without volume, splits, dividends."""

import numpy as np
from tests.contract.reference import Market


def random_market(
    seed: int, sessions: int, *, first: int = 0, is_adjusted: bool = True, is_thin: bool = True
) -> Market:
    """Return a market whose prices have three decimals, as zipline stores them."""
    random = np.random.default_rng(seed)
    count = sessions - first
    drift = np.repeat(random.normal(0, 0.004, count // 20 + 1), 20)[:count]
    close = 40 * np.exp(np.cumsum(drift + random.normal(0, 0.015, count)))
    before = np.concatenate([[close[0]], close[:-1]])
    open_ = before * np.exp(random.normal(0, 0.008, count))
    high = np.maximum(open_, close) * (1 + random.exponential(0.006, count))
    low = np.minimum(open_, close) * (1 - random.exponential(0.006, count))
    bars = np.round(np.column_stack([open_, high, low, close]), 2)
    volume = random.integers(200_000, 900_000, count).astype(float)
    flat = random.random(count) < 0.03
    bars[flat] = bars[flat][:, 3:4]
    splits, dividends = {}, {}
    calm = np.ones(count, dtype=bool)
    if is_adjusted:
        for at in random.choice(np.arange(30, count - 10), 4, replace=False):
            calm[max(at - 3, 0) : at + 4] = False
            dividends[first + int(at)] = (
                first + int(at) + 3,
                round(float(random.uniform(0.1, 0.6)), 2),
            )
        at = int(random.integers(count // 2, count - 20))
        while not calm[at - 3 : at + 4].all():
            at += 1
        bars[at:] = np.round(bars[at:] * 0.5, 2)
        splits[first + at] = 0.5
        calm[at - 3 : at + 4] = False
    # Exactly the numbers that zipline reads: whole thousandths, multiplied by 0.001.
    rows = np.column_stack([np.round(bars * 1000) * 0.001, volume])
    missing = calm & (random.random(count) < 0.03)
    missing[0] = missing[-1] = False
    rows[missing] = np.nan
    if is_thin:
        thin = calm & ~missing & (random.random(count) < 0.05)
        rows[thin, 4] = random.integers(300, 3000, thin.sum())
        empty = calm & ~missing & ~thin & (random.random(count) < 0.02)
        empty[0] = empty[-1] = False
        rows[empty, 4] = 0
    return Market(first, rows, splits, dividends)
