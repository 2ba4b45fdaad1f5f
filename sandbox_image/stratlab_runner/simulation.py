"""Sets up zipline for one trial: data, cost model, limits and what the strategy may touch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, final

import pandas as pd
from zipline.assets import Asset
from zipline.finance.commission import CommissionModel, PerShare
from zipline.finance.controls import MaxLeverage, MaxPositionSize
from zipline.finance.slippage import FixedBasisPointsSlippage, SlippageModel
from zipline.finance.trading import SimulationParameters
from zipline.gens.sim_engine import BAR, BEFORE_TRADING_START_BAR, SESSION_END, SESSION_START
from zipline.pipeline.data import EquityPricing
from zipline.pipeline.domain import Domain
from zipline.pipeline.loaders import USEquityPricingLoader
from zipline.utils.calendar_utils import TradingCalendar
from zipline.utils.events import AfterOpen, BeforeClose, NotHalfDay, date_rules, time_rules

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner import lab
from stratlab_runner.calendars import pipeline_domain
from stratlab_runner.clock import (
    FirstBarFrom,
    OncePerSession,
    TradedSession,
    session_of,
    traded_sessions,
)
from stratlab_runner.fast import engines
from stratlab_runner.fast.algorithm import EngineAlgorithm
from stratlab_runner.fast.tally import Tally
from stratlab_runner.recording import RecordingBlotter, SymbolNotInMarketError
from stratlab_runner.reporter import Reporter
from stratlab_runner.tier_data import TierData


class TrialSetupError(Exception):
    """The request does not fit the data that is mounted; never the strategy's fault."""


class UnsupportedCallError(Exception):
    """A strategy made a call of zipline's that the lab refuses; the message says why."""


class TrialAlgorithm(EngineAlgorithm):
    """Zipline's algorithm under the harness: costs, limits and symbols are not the strategy's.

    Its clock yields the bars of the data set, whatever minutes the calendar has.
    Everything is imposed after ``initialize``, so nothing that the strategy sets there counts;
    zipline itself refuses to set costs later. The benchmark is always zero.

    Args:
        request: The trial.
        tier: Its data.
        reporter: Where orders, fills and equity go.
        functions: The strategy's functions by their zipline names.
        engine: One of :data:`stratlab_runner.fast.engines.ENGINES`.

    Raises:
        TrialSetupError: The window or a symbol is not in the data, or the cost model is unknown.
    """

    def __init__(
        self,
        request: pb.RunTrial,
        tier: TierData,
        reporter: Reporter,
        functions: Mapping[str, Any],
        engine: str = engines.DEFAULT,
    ) -> None:
        self._request = request
        self._costs = _cost_models(request)
        parameters = _simulation_parameters(request, tier)
        sessions = parameters.sessions
        self._schedule = tuple(traded_sessions(tier, sessions))
        if not self._schedule:
            raise TrialSetupError(f"no bar between {request.start} and {request.end}")
        _check_symbols(request, tier)
        portal, reader = engines.open_portal(tier, engine)
        loader = USEquityPricingLoader.without_fx(reader, tier.adjustment_reader)
        super().__init__(
            sim_params=parameters,
            data_portal=portal,
            get_pipeline_loader=lambda column: _pipeline_loader(column, loader),
            metrics_set={_SessionReporter(self, reporter, self._schedule)},
            blotter=RecordingBlotter(reporter, request.symbols, self._schedule[0].labels[0]),
            benchmark_returns=pd.Series(0.0, index=sessions),
            **functions,
        )

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Let the strategy initialize, then impose costs and limits."""
        super().initialize(*args, **kwargs)
        self.blotter.impose(*self._costs)
        self.benchmark_sid = None
        self.account_controls.append(MaxLeverage(self._request.max_leverage))
        if self._request.max_position_shares:
            self.trading_controls.append(
                MaxPositionSize(on_error="fail", max_shares=self._request.max_position_shares)
            )

    def symbol(self, symbol_str: str, country_code: str | None = None) -> Asset:
        """Look a symbol up, as zipline does.

        Raises:
            SymbolNotInMarketError: It is not in the trial's market set.
        """
        if str(symbol_str).upper() not in self._request.symbols:
            raise SymbolNotInMarketError(str(symbol_str), self._request.symbols)
        return super().symbol(symbol_str, country_code=country_code)

    def sid(self, sid: int) -> Asset:
        """Look an asset up by its number, as zipline does.

        Raises:
            SymbolNotInMarketError: It is not in the trial's market set.
        """
        asset = super().sid(sid)
        if asset.symbol not in self._request.symbols:
            raise SymbolNotInMarketError(asset.symbol, self._request.symbols)
        return asset

    def schedule_function(
        self,
        func: Any,
        date_rule: Any = None,
        time_rule: Any = None,
        half_days: bool = True,  # noqa: FBT001, FBT002 - zipline's signature
        calendar: Any = None,
    ) -> None:
        """Schedule a function, as zipline does.

        In intraday data a time of the day means the first bar from then on in its session.
        """
        if self.data_frequency == "daily" or calendar is not None:
            super().schedule_function(func, date_rule, time_rule, half_days, calendar)
            return
        if isinstance(time_rule, AfterOpen | BeforeClose):
            time_rule = FirstBarFrom(time_rule)
        rule = (date_rule or date_rules.every_day()) & (time_rule or time_rules.every_minute())
        once = OncePerSession(rule if half_days else rule & NotHalfDay())
        once.cal = self.trading_calendar
        self.add_event(once, func)

    @staticmethod
    def default_pipeline_domain(calendar: TradingCalendar) -> Domain:
        """Return the domain of pipelines without one of their own."""
        return pipeline_domain(calendar)

    def fetch_csv(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        Raises:
            UnsupportedCallError: Always.
        """
        del args, kwargs
        raise UnsupportedCallError("fetch_csv needs a network, and the sandbox has none")

    def future_symbol(self, symbol: str) -> NoReturn:
        """Refuse.

        Raises:
            UnsupportedCallError: Always.
        """
        raise UnsupportedCallError(f"future_symbol({symbol!r}): futures are not supported")

    def continuous_future(self, root_symbol_str: str, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        Raises:
            UnsupportedCallError: Always.
        """
        del args, kwargs
        raise UnsupportedCallError(
            f"continuous_future({root_symbol_str!r}): futures are not supported"
        )

    def _create_clock(self) -> Iterator[tuple[pd.Timestamp, int]]:
        for session in self._schedule:
            yield session.day, SESSION_START
            yield session.before_open, BEFORE_TRADING_START_BAR
            for moment, label in zip(session.moments, session.labels, strict=True):
                self.blotter.start_bar(label)
                yield moment, BAR
                # Zipline looks at the account when a session ends, after its last bar.
                if label != session.labels[-1] and self.metrics_tracker.positions:
                    self.validate_account_controls()
            yield session.close, SESSION_END

    def _pipeline_output(self, pipeline: Any, chunks: Any, name: str) -> pd.DataFrame:
        # Zipline takes the day of the clock for the session; a session that trades around the
        # clock ends on the next day, or begins on the one before.
        moment = self.datetime
        self.datetime = session_of(self.trading_calendar, moment)
        try:
            return super()._pipeline_output(pipeline, chunks, name)
        finally:
            self.datetime = moment


def count_bars(algorithm: TrialAlgorithm) -> int:
    """Return the number of bars that a trial's strategy will see.

    No attribute of the algorithm: its public names belong to the strategy's context.
    """
    schedule = algorithm._schedule  # noqa: SLF001 - see above
    return sum(len(session.labels) for session in schedule)


def tally_of(algorithm: TrialAlgorithm) -> Tally | None:
    """Return how many calls a trial's strategy made, and which fell back to stock zipline.

    None for the stock engine. No attribute of the algorithm, for the same reason.
    """
    return getattr(algorithm.data_portal, "tally", None)


@final
class _SessionReporter:
    # A zipline metric: two hooks, called at the start and at the end of every session.
    def __init__(
        self, algorithm: TrialAlgorithm, reporter: Reporter, schedule: Sequence[TradedSession]
    ) -> None:
        self._algorithm = algorithm
        self._reporter = reporter
        self._schedule = schedule

    def start_of_session(self, ledger: Any, session: pd.Timestamp, portal: Any) -> None:
        del ledger, portal
        self._algorithm.blotter.start_session(session)

    def end_of_session(
        self, packet: Any, ledger: Any, session: pd.Timestamp, number: int, portal: Any
    ) -> None:
        del packet, session, portal
        self._reporter.equity(
            self._schedule[number].labels[-1],
            float(ledger.portfolio.portfolio_value),
            (number + 1) / len(self._schedule),
        )


def _simulation_parameters(request: pb.RunTrial, tier: TierData) -> SimulationParameters:
    start, end = pd.Timestamp(request.start), pd.Timestamp(request.end)
    sessions = tier.calendar.sessions_in_range(start, end)
    if sessions.empty:
        raise TrialSetupError(f"no session between {request.start} and {request.end}")
    if start < tier.first_session or sessions[-1] > tier.last_session:
        raise TrialSetupError(
            f"{request.start}..{request.end} is not within the {tier.tier} tier, "
            f"{tier.first_session.date()}..{tier.last_session.date()}"
        )
    return SimulationParameters(
        start_session=sessions[0],
        end_session=sessions[-1],
        trading_calendar=tier.calendar,
        capital_base=request.capital,
        data_frequency="daily" if tier.minute_reader is None else "minute",
    )


def _check_symbols(request: pb.RunTrial, tier: TierData) -> None:
    finder = tier.asset_finder
    known = {asset.symbol for asset in finder.retrieve_all(finder.equities_sids)}
    missing = sorted(set(request.symbols) - known)
    if missing or not request.symbols:
        raise TrialSetupError(f"the tier has no data for {', '.join(missing) or 'no symbol'}")


def _cost_models(request: pb.RunTrial) -> tuple[SlippageModel, CommissionModel]:
    if request.cost_model == "zipline":
        return FixedBasisPointsSlippage(), PerShare()
    if request.cost_model == "next_open":
        return (
            lab.NextOpenSlippage(request.slippage_bps, request.volume_limit),
            PerShare(cost=request.commission_per_share, min_trade_cost=0.0),
        )
    raise TrialSetupError(f"the cost model {request.cost_model!r} is unknown")


def _pipeline_loader(column: Any, loader: USEquityPricingLoader) -> USEquityPricingLoader:
    if column.unspecialize() in EquityPricing.columns:
        return loader
    raise ValueError(f"no data for the pipeline column {column}")
