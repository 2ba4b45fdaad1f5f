"""Stock ``run_algorithm`` against the fast engine, interleaved in one process; prints JSON.

Usage: engine_inside.py TIER WORK ROUNDS MOMENTUM_ROUNDS ASSETS YEARS

Runs inside the sandbox image, or under its pinned packages. TIER is a mount with IBM; WORK a
directory for bundles (and for zipline's own root, which ZIPLINE_ROOT names). Figures are CPU
seconds. Each side has imported everything and run once before it counts.
"""

import gc
import json
import logging
import os
import shutil
import sys
import time
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pandas as pd
from engine_strategies import EMA_NUMPY, EMA_PANDAS, EMA_WINDOW, MOMENTUM
from engine_universe import write_universe
from zipline import run_algorithm
from zipline.assets.asset_db_schema import ASSET_DB_VERSION
from zipline.data.bundles import ingest, register
from zipline.finance.trading import SimulationParameters

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.bars import bind_context
from stratlab_runner.fast import engines
from stratlab_runner.fast.algorithm import EngineAlgorithm
from stratlab_runner.fast.day_bars import DayBars
from stratlab_runner.reporter import Reporter
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import TierData, open_tier

CAPITAL = 1_000_000.0
MOMENTUM_DAYS = 500
FUNCTIONS = ("initialize", "handle_data", "before_trading_start")
RISK = (
    "algorithm_period_return", "benchmark_period_return", "alpha", "beta", "sharpe", "sortino",
    "max_drawdown", "max_leverage", "algo_volatility", "benchmark_volatility",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        name: Its row.
        source: The strategy.
        tier: Its data.
        bundle: The same for ``run_algorithm``.
        start, end: Window.
    """

    name: str
    source: str
    tier: TierData
    bundle: str
    start: pd.Timestamp
    end: pd.Timestamp

    def functions(self) -> dict[str, Callable[..., None]]:
        """The strategy's functions, from a module of its own."""
        module = types.ModuleType("strategy")
        exec(compile(self.source, "strategy", "exec"), module.__dict__)  # noqa: S102 - ours
        return {name: getattr(module, name) for name in FUNCTIONS if hasattr(module, name)}

    def benchmark(self) -> pd.Series:
        """Returns of nothing."""
        sessions = self.tier.calendar.sessions_in_range(self.start, self.end)
        return pd.Series(0.0, index=sessions)


def as_bundle(name: str, tier: TierData, folder: Path) -> str:
    """Make a mount a bundle of zipline's, file by file; return its name."""
    made: list[str] = []
    register(
        name,
        lambda *arguments: made.append(arguments[-1]),
        calendar_name=tier.calendar.name,
        start_session=tier.first_session,
        end_session=tier.last_session,
    )
    ingest(name)
    target = Path(made[0])
    names = {"assets.sqlite": f"assets-{ASSET_DB_VERSION}.sqlite"}
    for file in ("daily_equities.bcolz", "adjustments.sqlite", "assets.sqlite"):
        path = target / names.get(file, file)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(folder / file)
    return name


def run_stock(case: Case) -> pd.DataFrame:
    """Zipline's ``run_algorithm`` as it comes."""
    return run_algorithm(
        start=case.start,
        end=case.end,
        capital_base=CAPITAL,
        bundle=case.bundle,
        trading_calendar=case.tier.calendar,
        benchmark_returns=case.benchmark().tz_localize("UTC"),
        default_extension=False,
        **case.functions(),
    )


def run_ours(case: Case, sink: int) -> tuple[list[float], Mapping[str, int]]:
    """A trial as the product runs it, and the metrics of its equity afterwards."""
    symbols = [asset.symbol for asset in _assets(case.tier)]
    request = pb.RunTrial(
        start=str(case.start.date()), end=str(case.end.date()), capital=CAPITAL,
        cost_model="zipline", max_leverage=1000, symbols=symbols,
    )  # fmt: skip
    equity: list[float] = []
    reporter = Reporter(sink, "")
    report = reporter.equity

    def keep(bar: int, value: float, fraction: float) -> None:
        equity.append(value)
        report(bar, value, fraction)

    reporter.equity = keep  # type: ignore[method-assign]  # to compare the values
    algorithm = TrialAlgorithm(request, case.tier, reporter, case.functions(), engines.FAST)
    bind_context(algorithm, {}, symbols, "1d")
    for _ in algorithm.get_generator():
        pass
    reporter.finished()
    returns = pd.Series(equity).pct_change().fillna(equity[0] / CAPITAL - 1)
    for metric in (empyrical.sharpe_ratio, empyrical.sortino_ratio, empyrical.max_drawdown,
                   empyrical.annual_volatility, empyrical.cum_returns_final):  # fmt: skip
        metric(returns)
    return equity, algorithm.data_portal.tally.fallbacks


def run_frame(case: Case) -> pd.DataFrame:
    """Zipline's whole performance frame by the fast engine, for T10."""
    portal, reader = engines.open_portal(case.tier, engines.FAST)
    from zipline.pipeline.loaders import USEquityPricingLoader  # noqa: PLC0415 - T10 alone

    loader = USEquityPricingLoader.without_fx(reader, case.tier.adjustment_reader)
    return EngineAlgorithm(
        data_portal=portal,
        get_pipeline_loader=lambda _: loader,
        benchmark_returns=case.benchmark(),
        sim_params=SimulationParameters(
            start_session=case.benchmark().index[0],
            end_session=case.benchmark().index[-1],
            trading_calendar=case.tier.calendar,
            capital_base=CAPITAL,
            data_frequency="daily",
        ),
        **case.functions(),
    ).run()


def compare(case: Case, rounds: int) -> dict[str, Any]:
    """Run both sides in turn and return seconds and differences."""
    sink = os.open(os.devnull, os.O_WRONLY)
    stock_seconds, our_seconds, difference = [], [], 0.0
    fallbacks: dict[str, int] = {}
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        frame = run_stock(case)
        stock_seconds.append(time.process_time() - began)
        gc.collect()
        began = time.process_time()
        equity, counted = run_ours(case, sink)
        our_seconds.append(time.process_time() - began)
        fallbacks = dict(counted)
        values = frame["portfolio_value"].to_numpy()
        difference = max(difference, float(np.abs(np.array(equity) / values - 1).max()))
        print(case.name, stock_seconds[-1], our_seconds[-1], file=sys.stderr, flush=True)
    os.close(sink)
    return {
        "stock": stock_seconds, "ours": our_seconds, "difference": difference,
        "fallbacks": fallbacks, "fills": int(frame["transactions"].map(len).sum()),
        "sessions": len(frame), "load": os.getloadavg()[0],
    }  # fmt: skip


def same(case: Case) -> dict[str, Any]:
    """T10: the frames of both sides, transactions, portfolio value and risk columns."""
    stock, ours = run_stock(case), run_frame(case)
    rows = [
        [(each["dt"], each["sid"], each["amount"], each["price"]) for day in frame["transactions"]
         for each in day]
        for frame in (stock, ours)
    ]  # fmt: skip
    risk = 0.0
    for name in RISK:
        pair = [frame[name].to_numpy("float64") for frame in (stock, ours)]
        finite = np.isfinite(pair[0])
        assert (finite == np.isfinite(pair[1])).all(), name
        risk = max(risk, float(np.abs(pair[0] - pair[1])[finite].max(initial=0)))
    value = np.abs(stock["portfolio_value"] / ours["portfolio_value"] - 1).max()
    return {"transactions": len(rows[0]), "equal": rows[0] == rows[1],
            "portfolio_value": float(value), "risk": risk}  # fmt: skip


def _assets(tier: TierData) -> list[Any]:
    return list(tier.asset_finder.retrieve_all(tier.asset_finder.equities_sids))


def main() -> None:
    """Measure everything that was asked for."""
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    rounds, momentum_rounds, assets, years = map(int, sys.argv[3:])
    logging.disable()
    warnings.simplefilter("ignore")
    results: dict[str, Any] = {}
    tier = open_tier(folder)
    bundle = as_bundle("ema", tier, folder)
    start = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)[63]
    cases = [
        Case(name, source, tier, bundle, start, tier.last_session)
        for name, source in (("T1", EMA_NUMPY), ("T2", EMA_PANDAS), ("window", EMA_WINDOW))
    ]
    if rounds:
        short = Case("warm", EMA_PANDAS, tier, bundle, start, start + pd.Timedelta(days=90))
        compare(short, 1)
        results |= {case.name: compare(case, rounds) for case in cases}
        results["T10 EMA"] = same(cases[1])
    if momentum_rounds:
        began = time.process_time()
        folder = write_universe(work / f"momentum-{assets}-{years}", assets, years)
        wrote, began = time.process_time() - began, time.process_time()
        tier = open_tier(folder)
        results["momentum universe"] = {"write": wrote, "open": time.process_time() - began}
        assert isinstance(tier.day_bars, DayBars)
        sessions = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)
        bundle = as_bundle("momentum", tier, folder)
        case = Case("T3", MOMENTUM, tier, bundle, sessions[280], sessions[-1])
        results["T3"] = compare(case, momentum_rounds)
        short = replace(case, end=sessions[280 + MOMENTUM_DAYS])
        results["T10 momentum, two years"] = same(short)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
