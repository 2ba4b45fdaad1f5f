"""What the host's own account of a trial costs, beside the backtest that it checks.

Run ``python -m benchmarks.repricing [--rounds N] [--made-up]``; needs the engine and the sandbox
image, but for ``--made-up``. Trials of the fast engine in one container, on daily bars from
2001-06 to 2009-12, one after the other; the host settles them behind the batch. ``backtest``
is the CPU time of the trial's own process, from the fork to its end, without the container's start;
``settle`` is everything that the host does with its claim: check the log, rebuild fills, cash,
positions and equity, compare them, compute all metrics, and the same for the benchmark.

``--made-up`` prints what settling costs on random prices alone: 13 years, 4 symbols, a few and many
orders, each entry with two legs that may rest for long.
"""

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import structlog
from benchmarks.support.figures import head, machine, row

from stratlab.bootstrap import SystemClock, build_data_set
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.market import CostModel, MarketSet, PricePanel, Tier, Window
from stratlab.domain.trial import (
    EquityPoint,
    Limits,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.repricing import reprice
from stratlab.evaluation.settlement import settle_claim
from stratlab.generation.templates import load_templates
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import Settings
from stratlab.store import open_repository

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
BARS = 3270
CAPITAL = 1e6
RUNS = 7
WANTED = 0.05
WINDOW = Window(Tier.VALIDATION, date(2001, 6, 1), date(2009, 12, 31))
EVERY_BAR = """
from zipline.api import order, symbol


def initialize(context):
    context.assets = [symbol(name) for name in context.symbols]


def handle_data(context, data):
    for asset in context.assets:
        order(asset, 10 if context.portfolio.positions[asset].amount < 10 else -10)
"""


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
    for entry, place in enumerate(rows.tolist()):
        number, bar = 3 * entry + 1, int(panel.bars[place])
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
    return median(times)


def made_up() -> None:
    """Print what settling costs on random prices."""
    rng = np.random.default_rng(0)
    panel = random_panel(rng)
    first, last = (
        date.fromisoformat(str(np.datetime64(int(bar), "s"))[:10])
        for bar in (panel.bars[0], panel.bars[-1])
    )
    window = Window(Tier.TRAIN, first, last)
    print(head("CPU seconds, by orders", "fills", "reprice", "metrics", "settle"))
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
        cells = [f"{seconds:.4f}" for seconds in figures]
        print(row(str(len(log)), len(repriced.fills), *cells))


def cases() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield names, sources and symbols of what is run."""
    templates = load_templates()
    ema = compile_to_zipline(templates["ema_cross_atr"])
    yield "EMA cross with brackets, IBM", ema, ("IBM",)
    yield "the same, four stocks", ema, ("AAPL", "GOOG", "IBM", "MSFT")
    donchian = compile_to_zipline(templates["donchian_breakout"])
    yield "Donchian with brackets, four stocks", donchian, ("AAPL", "GOOG", "IBM", "MSFT")
    yield "an order at every bar, IBM", EVERY_BAR, ("IBM",)
    yield "four orders at every bar", EVERY_BAR, ("AAPL", "GOOG", "IBM", "MSFT")


async def measure(home: Path, rounds: int) -> None:
    """Run every case and print one line for each."""
    settings, catalogue = Settings(home=home), Catalogue(home)
    repository = open_repository(settings.store_url)
    # One trial after the other: what they share of a core would be counted to the backtest.
    quiet = settings.sandbox.model_copy(update={"pool_low": 0, "sweep_processes": 1})
    print(head("CPU seconds, medians", "orders", "fills", "backtest", "settle", "share", "wanted"))
    async with DockerSandbox.open(
        quiet, home, repository.leases(), catalogue, SystemClock(), alone=True
    ) as sandbox:
        for name, source, symbols in cases():
            market = MarketSet("us-daily", symbols)
            trials = tuple(
                TrialSpec(
                    f"t{index}", index, TrialPurpose.ADHOC, market, WINDOW, {}, CAPITAL, CostModel()
                )
                for index in range(rounds + 1)
            )
            claims = await sandbox.run(
                TrialBatch("benchmark", source, trials, Limits()), lambda _: None
            )
            prices = catalogue.prices(market, WINDOW.tier)
            results = [
                settle_claim(trial, claim, prices, Limits())
                for trial, claim in zip(trials, claims, strict=True)
            ]
            assert {result.outcome for result in results} == {Outcome.SUCCEEDED}, results[0].reason
            # The first trial of a container pays for what the others find done.
            backtest = median(claim.usage.cpu_seconds for claim in claims[1:])
            settle = median_seconds(settle_claim, trials[0], claims[0], prices, Limits())
            share = settle / backtest
            print(
                row(
                    name, len(claims[0].log), len(results[0].fills), f"{backtest:.3f}",
                    f"{settle:.4f}", f"{share:.1%}",
                    f"<= {WANTED:.0%}: {'met' if share <= WANTED else 'missed'}",
                )
            )  # fmt: skip
    repository.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--made-up", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(machine() + "\n")
    if asked.made_up:
        made_up()
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        build_data_set(Settings(home=home), "us-daily")
        asyncio.run(measure(home, asked.rounds))


if __name__ == "__main__":
    main()
