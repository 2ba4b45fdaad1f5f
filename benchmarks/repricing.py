"""Host seconds to settle a trial: 13 years, 4 symbols, a few and many orders.

Run as ``python benchmarks/repricing.py``. Median of several runs, one process, no data set needed.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np

from stratlab.domain.market import CostModel, MarketSet, PricePanel, Tier, Window
from stratlab.domain.trial import (
    EquityPoint,
    Limits,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.repricing import reprice
from stratlab.evaluation.settlement import settle_claim

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
BARS = 3270
DAY_SECONDS = 86_400
CAPITAL = 1e6
RUNS = 7


def random_panel(rng: np.random.Generator) -> PricePanel:
    """Return daily prices of every weekday from 2000 on."""
    days = np.busday_offset("2000-01-03", np.arange(BARS), roll="forward")
    bars = days.astype("datetime64[s]").astype(np.int64)
    shape = (BARS, len(SYMBOLS))
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, shape), axis=0))
    opening = close * np.exp(rng.normal(0, 0.005, shape))
    spread = np.abs(rng.normal(0, 0.005, shape))
    return PricePanel(
        bars,
        SYMBOLS,
        opening,
        np.maximum(opening, close) * (1 + spread),
        np.minimum(opening, close) * (1 - spread),
        close,
        np.full(shape, 1e7),
    )


def brackets(rng: np.random.Generator, panel: PricePanel, entries: int) -> Iterator[Order]:
    """Yield entries at random bars, each with a stop and a take leg that may rest for long."""
    rows = np.sort(rng.integers(0, BARS - 1, entries))
    for entry, row in enumerate(rows.tolist()):
        number, bar = 3 * entry + 1, int(panel.bars[row])
        symbol = SYMBOLS[int(rng.integers(len(SYMBOLS)))]
        amount = int(rng.integers(1, 50)) * int(rng.choice([-1, 1]))
        yield Order(number, bar, Phase.BAR, symbol, amount, OrderKind.MARKET)
        for offset, kind in ((1, OrderKind.BRACKET_STOP), (2, OrderKind.BRACKET_TAKE)):
            yield Order(
                number + offset,
                bar,
                Phase.BAR,
                symbol,
                -amount,
                kind,
                parent=number,
                distance=float(rng.uniform(1, 10)),
            )


def median_seconds(work: Callable[..., object], *arguments: object) -> float:
    """Return the median CPU time of several calls."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        work(*arguments)
        times.append(time.process_time() - started)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    panel = random_panel(rng)
    first, last = (
        date.fromisoformat(str(np.datetime64(int(bar), "s"))[:10])
        for bar in (panel.bars[0], panel.bars[-1])
    )
    window = Window(Tier.TRAIN, first, last)
    print(f"{'orders':>7} {'fills':>6} {'reprice':>9} {'metrics':>9} {'settle':>9}  (CPU seconds)")
    for entries in (0, 33, 1000):
        log = tuple(brackets(rng, panel, entries))
        costs = CostModel()
        repriced = reprice(log, panel, window, CAPITAL, costs)
        points = map(EquityPoint, repriced.bars.tolist(), repriced.equity.tolist())
        claim = TrialClaim(
            "t", Outcome.SUCCEEDED, log=log, fills=repriced.fills, equity=tuple(points)
        )
        market = MarketSet("random", SYMBOLS)
        spec = TrialSpec("t", 0, TrialPurpose.ADHOC, market, window, {}, CAPITAL, costs)
        limits = Limits(max_leverage=1e9)
        assert settle_claim(spec, claim, panel, limits).outcome is Outcome.SUCCEEDED
        figures = (
            median_seconds(reprice, log, panel, window, CAPITAL, costs),
            median_seconds(compute_metrics, repriced, CAPITAL),
            median_seconds(settle_claim, spec, claim, panel, limits),
        )
        row = " ".join(f"{seconds:9.4f}" for seconds in figures)
        print(f"{len(log):>7} {len(repriced.fills):>6} {row}")


if __name__ == "__main__":
    main()
