"""What the lab makes of every public call of zipline's; the source of docs/zipline-calls.md."""

import ast
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ALGORITHMS = Path(__file__).parent / "algorithms"


class Status(StrEnum):
    """What a strategy may expect of a call."""

    SUPPORTED = "as in zipline"
    OVERRIDDEN = "overridden"
    REFUSED = "refused"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Call:
    """One name that zipline publishes.

    Attributes:
        status: What becomes of it.
        note: What a user has to know, "" when nothing differs.
    """

    status: Status = Status.SUPPORTED
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Names that belong together.

    Attributes:
        title: Heading in the table.
        prefixes: Dotted names under which algorithms reach them.
        calls: By name.
    """

    title: str
    prefixes: tuple[str, ...]
    calls: dict[str, Call]

    def tested_by(self, name: str, used: dict[str, set[str]]) -> list[str]:
        """Return the algorithms that use a name."""
        wanted = {f"{prefix}.{name}" for prefix in self.prefixes}
        return sorted(algorithm for algorithm, names in used.items() if names & wanted)


def _supported(*names: str) -> dict[str, Call]:
    return dict.fromkeys(names, Call())


def _each(status: Status, note: str, *names: str) -> dict[str, Call]:
    return dict.fromkeys(names, Call(status, note))


_COSTS = "accepted without effect: the backtest's cost model is imposed after `initialize`"
_BASE = "a base class or made by expressions; never called by name"
_FUTURES = "futures are not supported: `UnsupportedCallError`"
_BEFORE_OPEN = "in `before_trading_start` refused: `OrdersBeforeOpenError`"
_MARKET = "of the trial's market set; others: `SymbolNotInMarketError`"

GROUPS = {
    "api": Group(
        "`zipline.api`",
        ("zipline.api", "context", "algo"),
        {
            **_supported(
                "order",
                "order_value",
                "order_percent",
                "order_target",
                "order_target_value",
                "order_target_percent",
            ),
            "batch_market_order": Call(note=_BEFORE_OPEN),
            "cancel_order": Call(note=_BEFORE_OPEN),
            **_supported("get_open_orders", "get_order"),
            "symbol": Call(note=_MARKET),
            "symbols": Call(note=_MARKET),
            "sid": Call(note=_MARKET),
            **_supported("set_symbol_lookup_date", "get_datetime", "get_environment"),
            **_supported("schedule_function", "date_rules", "calendars", "events"),
            "time_rules": Call(note="on daily bars every rule means the close"),
            "record": Call(note="read by `context.recorded_vars`; no report shows the values"),
            **_supported("attach_pipeline", "pipeline_output"),
            **_supported(
                "set_long_only",
                "set_max_order_count",
                "set_max_order_size",
                "set_max_position_size",
                "set_do_not_order_list",
                "set_asset_restrictions",
                "StaticRestrictions",
                "HistoricalRestrictions",
                "Restriction",
                "RESTRICTION_STATES",
            ),
            "set_max_leverage": Call(note="beside the backtest's own limit (`--max-leverage`)"),
            **_supported("set_min_leverage", "set_cancel_policy", "NeverCancel"),
            "EODCancel": Call(
                note="on daily bars zipline cancels the oldest order of each asset that has several"
            ),
            **_supported("cancel_policy", "execution", "math_utils"),
            **_each(
                Status.OVERRIDDEN,
                _COSTS,
                "set_slippage",
                "set_commission",
                "slippage",
                "commission",
                "FixedSlippage",
                "FixedBasisPointsSlippage",
                "VolumeShareSlippage",
            ),
            "set_benchmark": Call(
                Status.OVERRIDDEN, "the benchmark holds the trial's market set, equally weighted"
            ),
            "fetch_csv": Call(Status.REFUSED, "there is no network: `UnsupportedCallError`"),
            **_each(Status.REFUSED, _FUTURES, "future_symbol", "continuous_future"),
        },
    ),
    "data": Group(
        "`data`",
        ("data",),
        {
            **_supported("current", "history", "can_trade", "is_stale"),
            **_supported("current_dt", "current_session", "current_session_minutes"),
            "fetcher_assets": Call(note="always empty, for `fetch_csv` is refused"),
            "current_chain": Call(
                Status.NOT_APPLICABLE, "takes a continuous future, and there is none"
            ),
        },
    ),
    "date_rules": Group(
        "`date_rules`",
        ("zipline.api.date_rules",),
        _supported("every_day", "week_start", "week_end", "month_start", "month_end"),
    ),
    "time_rules": Group(
        "`time_rules`",
        ("zipline.api.time_rules",),
        _supported("every_minute", "market_open", "market_close"),
    ),
    "execution": Group(
        "Execution styles",
        ("zipline.finance.execution", "zipline.api.execution"),
        _supported("MarketOrder", "LimitOrder", "StopOrder", "StopLimitOrder"),
    ),
    "factors": Group(
        "`zipline.pipeline.factors`",
        ("zipline.pipeline.factors", "zipline.pipeline"),
        {
            **_supported(
                "AnnualizedVolatility",
                "Aroon",
                "AverageDollarVolume",
                "BollingerBands",
                "CustomFactor",
                "DailyReturns",
                "EWMA",
                "EWMSTD",
                "ExponentialWeightedMovingAverage",
                "ExponentialWeightedMovingStdDev",
                "FastStochasticOscillator",
                "IchimokuKinkoHyo",
                "Latest",
                "LinearWeightedMovingAverage",
                "MACDSignal",
                "MaxDrawdown",
                "MovingAverageConvergenceDivergenceSignal",
                "PeerCount",
                "PercentChange",
                "RSI",
                "RateOfChangePercentage",
                "Returns",
                "RollingLinearRegressionOfReturns",
                "RollingPearson",
                "RollingPearsonOfReturns",
                "RollingSpearman",
                "RollingSpearmanOfReturns",
                "SimpleBeta",
                "SimpleMovingAverage",
                "TrueRange",
                "VWAP",
                "WeightedAverageValue",
            ),
            **_each(
                Status.NOT_APPLICABLE,
                "needs a data set of events, and a data set of the lab has prices only",
                "BusinessDaysSincePreviousEvent",
                "BusinessDaysUntilNextEvent",
            ),
            **_each(Status.NOT_APPLICABLE, _BASE, "Factor", "RecarrayField"),
        },
    ),
    "filters": Group(
        "`zipline.pipeline.filters`",
        ("zipline.pipeline.filters", "zipline.pipeline"),
        {
            **_supported("All", "AllPresent", "Any", "AtLeastN", "CustomFilter"),
            **_supported("SingleAsset", "StaticAssets", "StaticSids"),
            **_each(
                Status.NOT_APPLICABLE,
                _BASE,
                "ArrayPredicate",
                "Filter",
                "Latest",
                "MaximumFilter",
                "NotNullFilter",
                "NullFilter",
                "NumExprFilter",
                "PercentileFilter",
            ),
        },
    ),
    "classifiers": Group(
        "`zipline.pipeline.classifiers`",
        ("zipline.pipeline.classifiers", "zipline.pipeline"),
        {
            **_supported("CustomClassifier", "Everything", "Quantiles"),
            **_each(Status.NOT_APPLICABLE, _BASE, "Classifier", "Latest"),
        },
    ),
}


def names_used(source: str) -> set[str]:
    """Return the dotted names that a source reads, imports resolved to where they come from."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {name for node in ast.walk(tree) if (name := _dotted(node, imported))}


def own_use() -> dict[str, set[str]]:
    """Return what each of our algorithms uses."""
    return {path.stem: names_used(path.read_text()) for path in sorted(ALGORITHMS.glob("*.py"))}


def _dotted(node: ast.AST, imported: dict[str, str]) -> str:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, imported)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
