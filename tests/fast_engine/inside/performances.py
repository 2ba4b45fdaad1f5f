"""Whole zipline performance frames, by zipline alone and by the fast engine."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from actions import Script
from zipline.algorithm import TradingAlgorithm
from zipline.data.data_portal import DataPortal
from zipline.finance.trading import SimulationParameters

from stratlab_runner.fast import engines
from stratlab_runner.fast.algorithm import EngineAlgorithm
from stratlab_runner.tier_data import TierData

CAPITAL = 10_000.0
LISTS = ("orders", "transactions", "positions")


def perform(
    tier: TierData,
    script: Script,
    engine: str,
    benchmark: Any,
    capital_changes: Mapping[pd.Timestamp, dict[str, Any]],
) -> tuple[pd.DataFrame | None, str]:
    """Run with zipline's default costs and metrics; the stock engine is plain zipline.

    Args:
        benchmark: Number of an asset, or returns by session.
        capital_changes: As zipline takes them.
    """
    sessions = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)[2:]
    options: dict[str, Any] = {
        "sim_params": SimulationParameters(
            start_session=sessions[0],
            end_session=sessions[-1],
            trading_calendar=tier.calendar,
            capital_base=CAPITAL,
            data_frequency="daily",
        ),
        "capital_changes": dict(capital_changes),
        ("benchmark_sid" if isinstance(benchmark, int) else "benchmark_returns"): benchmark,
        **script.functions(),
    }
    if engine == engines.FAST:
        portal, _ = engines.open_portal(tier, engine)
        algorithm = EngineAlgorithm(data_portal=portal, **options)
    else:
        portal = DataPortal(
            tier.asset_finder,
            trading_calendar=tier.calendar,
            first_trading_day=tier.bar_reader.first_trading_day,
            equity_daily_reader=tier.bar_reader,
            adjustment_reader=tier.adjustment_reader,
        )
        algorithm = TradingAlgorithm(data_portal=portal, **options)
    try:
        return algorithm.run(), ""
    except Exception as error:  # noqa: BLE001 - both engines must fail the same way
        return None, f"{type(error).__name__}: {error}"


def without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Orders or transactions without zipline's random numbers."""
    return [
        {name: value for name, value in row.items() if name not in {"id", "order_id"}}
        for row in rows
    ]
