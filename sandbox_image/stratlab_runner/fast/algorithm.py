"""Zipline's algorithm and its loop, run by the fast engine when the portal is the fast one."""

from collections.abc import Iterator
from copy import copy
from typing import Any, final

import pandas as pd
from zipline.algorithm import TradingAlgorithm
from zipline.finance.order import ORDER_STATUS
from zipline.gens.tradesimulation import AlgorithmSimulator

from stratlab_runner.fast.bar_data import FastBarData
from stratlab_runner.fast.minute_data import MinuteBarData
from stratlab_runner.fast.portal import FastPortal
from stratlab_runner.fast.tracking import LeanTracker


class EngineAlgorithm(TradingAlgorithm):  # type: ignore[misc]  # zipline has no types
    """Zipline's algorithm; its data portal decides which engine runs it."""

    def get_datetime(self, tz: Any = None) -> pd.Timestamp:
        """Return the current moment, as zipline does."""
        # Zipline reads the version of pandas at every call.
        return self.datetime if tz is None else super().get_datetime(tz)

    def _create_metrics_tracker(self) -> Any:
        if not isinstance(self.data_portal, FastPortal):
            return super()._create_metrics_tracker()
        parameters = self.sim_params
        return LeanTracker(
            trading_calendar=self.trading_calendar,
            first_session=parameters.start_session,
            last_session=parameters.end_session,
            capital_base=parameters.capital_base,
            emission_rate=parameters.emission_rate,
            data_frequency=parameters.data_frequency,
            asset_finder=self.asset_finder,
            metrics=self._metrics_set,
        )

    def _create_generator(self, sim_params: Any) -> Iterator[dict[str, Any]]:
        generator = super()._create_generator(sim_params)
        if not isinstance(self.data_portal, FastPortal):
            return generator
        # What zipline made has not begun: its clock has not ticked yet.
        made = self.trading_client
        self.trading_client = FastSimulator(
            self, sim_params, made.data_portal, made.clock, made.benchmark_source, made.restrictions
        )
        return self.trading_client.transform()


@final
class FastSimulator(AlgorithmSimulator):  # type: ignore[misc]  # zipline has no types
    """Zipline's loop over our BarData."""

    def _create_bar_data(self) -> FastBarData:
        is_daily = self.sim_params.data_frequency == "daily"
        return (FastBarData if is_daily else MinuteBarData)(
            data_portal=self.data_portal,
            simulation_dt_func=self.get_simulation_dt,
            data_frequency=self.sim_params.data_frequency,
            trading_calendar=self.algo.trading_calendar,
            restrictions=self.restrictions,
        )

    def _cleanup_expired_assets(self, dt: pd.Timestamp, position_assets: Any) -> None:
        blotter = self.algo.blotter
        life, now = self.data_portal.life, dt.value
        for asset in (*position_assets, *blotter.open_orders):
            known = life(asset)
            if known is None or known.closes_at <= now:
                super()._cleanup_expired_assets(dt, position_assets)
                return
        for order in copy(blotter.new_orders):
            if order.status == ORDER_STATUS.CANCELLED:
                self.algo.metrics_tracker.process_order(order)
                blotter.new_orders.remove(order)
