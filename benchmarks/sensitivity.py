"""Processor seconds to screen a strategy's parameters and to measure what lies around a point.

Run as ``python -m benchmarks.sensitivity``: the six templates on made-up daily prices of four
symbols and thirteen years, one process, no data set and no server needed. Processor time is what
other work on the machine does not stretch; on a quiet one it is the wall time.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from benchmarks.support.figures import head, machine, row

from stratlab.contract.model import StrategyContract
from stratlab.contract.space import Grid
from stratlab.domain.market import CostModel, MarketSet, PricePanel, Tier, Window
from stratlab.domain.search import DEFAULT_SCREEN_POINTS, Sampler
from stratlab.evaluation.benchmark import buy_and_hold
from stratlab.evaluation.metrics import compute_metrics
from stratlab.generation import load_templates
from stratlab.search.parameters import search_points
from stratlab.search.parameters_objective import TrainObjective, World
from stratlab.search.parameters_sensitivity import measure_sensitivity

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
BARS, WARM_UP = 3270, 250
CAPITAL, COSTS = 1e6, CostModel()
RUNS = 3
MANY, MANY_OF = 1000, "ema_cross_atr"


def made_up_world() -> World:
    """Return prices of every weekday from 2000 on, traded after a year of warm-up."""
    random = np.random.default_rng(1)
    days = np.busday_offset("2000-01-03", np.arange(BARS), roll="forward")
    shape = (BARS, len(SYMBOLS))
    close = 50 * np.exp(np.cumsum(random.normal(0.0003, 0.015, shape), axis=0))
    opening = close * np.exp(random.normal(0, 0.005, shape))
    spread = np.abs(random.normal(0, 0.005, shape))
    prices = PricePanel(
        days.astype("datetime64[s]").astype(np.int64),
        SYMBOLS,
        opening,
        np.maximum(opening, close) * (1 + spread),
        np.minimum(opening, close) * (1 - spread),
        close,
        np.full(shape, 1e7),
    )
    window = Window(Tier.TRAIN, days[WARM_UP].item(), days[-1].item())
    held = buy_and_hold(MarketSet("made-up", SYMBOLS), prices, window, CAPITAL, COSTS)
    return World(prices, WARM_UP, CAPITAL, COSTS, 2.0, compute_metrics(held, CAPITAL))


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median processor time of a few runs."""
    seconds = []
    for _ in range(RUNS):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def screen_seconds(contract: StrategyContract, world: World, sampler: Sampler, count: int) -> float:
    """Return the processor time of one screen."""
    objective = TrainObjective(contract, [world])
    begin = time.process_time()
    search_points(contract, objective, sampler=sampler, count=count, seed=1)
    return time.process_time() - begin


def main() -> None:
    """Print the tables."""
    print(machine(), end="\n\n")
    begin = time.process_time()
    world, templates = made_up_world(), load_templates()
    search_points(
        templates["ema_cross_atr"],
        lambda points: [0.0] * len(points),
        sampler=Sampler.TPE,
        count=2,
        seed=0,
    )
    print(f"Prices, numpy and optuna for the first time: {time.process_time() - begin:.2f} s\n")
    print(head("sensitivity", "parameters", "points", "seconds"))
    for name, contract in templates.items():
        found = measure_sensitivity(contract, [world])
        seconds = median_seconds(partial(measure_sensitivity, contract, [world]))
        enabled = sum(space.enabled for space in contract.optimization_space.values())
        print(row(name, enabled, len(found.points), f"{seconds:.2f}"))
    print("\nSeconds to screen points, once:\n")
    print(head("screen", "size of the grid", "points", *Sampler))
    for name, count in [*((name, DEFAULT_SCREEN_POINTS) for name in templates), (MANY_OF, MANY)]:
        contract = templates[name]
        cells = [f"{screen_seconds(contract, world, sampler, count):.2f}" for sampler in Sampler]
        print(row(name, Grid(contract).size, count, *cells))


if __name__ == "__main__":
    main()
