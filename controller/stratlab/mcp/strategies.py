"""Tools about strategies and data: validate, backtest, list data sets."""

from datetime import date
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from stratlab.client.plain import plain
from stratlab.domain.errors import CallTimeoutError, StratlabError
from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Engine
from stratlab.mcp.lab import Lab, Progress
from stratlab.mcp.tool import Arguments, Tool
from stratlab_proto.v1 import backtest_service_pb2, common_pb2, strategy_service_pb2

_MAX_FILLS = 40
_MAX_POINTS = 60
_MAX_DATA_SETS = 50
_MAX_SMOKE_SECONDS = 30
_MAX_SEED = 2**32 - 1

_Source = Annotated[str, Field(description="Zipline strategy: Python source, at most 256 KiB.")]
_DataSet = Annotated[str, Field(description='Data set; "" for us-daily.')]
_Symbols = Annotated[list[str], Field(description="Symbols to trade; empty for all.")]
_Parameters = Annotated[dict[str, int | float], Field(description="Values of context.params.")]


class _Validate(Arguments):
    source: _Source
    smoke: bool = Field(default=False, description="Lastly run it over one year in a container.")
    data_set: _DataSet = ""
    symbols: _Symbols = Field(default=[])
    parameters: _Parameters = Field(default={})


class _Backtest(Arguments):
    source: _Source
    data_set: _DataSet = ""
    symbols: _Symbols = Field(default=[])
    start: date | None = Field(default=None, description="First session [train tier's].")
    end: date | None = Field(default=None, description="Last session [train tier's].")
    parameters: _Parameters = Field(default={})
    cost_model: CostModelKind = CostModelKind.NEXT_OPEN
    capital: float = Field(default=100_000.0, gt=0, description="Starting cash.")
    max_leverage: float | None = Field(
        default=None, gt=0, description="Gross exposure over equity that ends it [2]."
    )
    seed: int = Field(default=0, ge=0, le=_MAX_SEED, description="Of random generators inside.")
    engine: Engine = Engine.FAST
    causality: bool = Field(
        default=False, description="Also test whether it decides by the past alone; some 20 runs."
    )
    seconds: float = Field(
        default=300, ge=1, le=3600, description="Then it is cancelled, waiting included."
    )


class _Nothing(Arguments):
    pass


async def _validate(lab: Lab, arguments: _Validate, progress: Progress) -> dict[str, Any]:
    del progress
    smoke = None
    if arguments.smoke:
        smoke = strategy_service_pb2.SmokeRun(
            data_set=arguments.data_set,
            symbols=arguments.symbols,
            seconds=_MAX_SMOKE_SECONDS,
        )
        smoke.parameters.update(arguments.parameters)
    answer = await lab.ask(lambda client: client.validate_strategy(arguments.source, smoke=smoke))
    return plain(answer)


async def _backtest(lab: Lab, arguments: _Backtest, progress: Progress) -> dict[str, Any]:
    request = _request(arguments)
    results: list[backtest_service_pb2.BacktestResult] = []

    async def take(item: backtest_service_pb2.RunBacktestResponse) -> bool:
        if item.HasField("result"):
            results.append(item.result)
            return False
        await progress(item.progress.fraction, 1.0, "backtest")
        return True

    ended = await lab.follow(lambda client: client.run_backtest(request), take, arguments.seconds)
    if results:
        return _record(results[0])
    if ended:
        raise StratlabError("the server ended the backtest without a result")
    raise CallTimeoutError(
        f"the backtest was not done after {arguments.seconds:g} s and was cancelled",
        hint="Allow more seconds, or choose a shorter range.",
    )


def _request(arguments: _Backtest) -> backtest_service_pb2.RunBacktestRequest:
    kind = f"KIND_{arguments.cost_model.name}"
    request = backtest_service_pb2.RunBacktestRequest(
        source=arguments.source,
        data_set=arguments.data_set,
        symbols=arguments.symbols,
        start=_day(arguments.start),
        end=_day(arguments.end),
        cost_model=common_pb2.CostModel(kind=common_pb2.CostModel.Kind.Value(kind)),
        capital=arguments.capital,
        seed=arguments.seed,
        engine=arguments.engine.value,
        causality=arguments.causality,
    )
    request.parameters.update(arguments.parameters)
    if arguments.max_leverage is not None:
        request.limits.max_leverage = arguments.max_leverage
    return request


def _day(day: date | None) -> common_pb2.Date | None:
    return common_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def _record(result: backtest_service_pb2.BacktestResult) -> dict[str, Any]:
    record = plain(result)
    trial = record["trial"]
    if trial is not None:
        fills, equity = trial["fills"], trial["equity"]
        # Whole series are for programs; these show their shape.
        trial["fills"] = {
            "count": len(fills),
            "first": fills[:_MAX_FILLS],
            "last": fills[_MAX_FILLS:][-_MAX_FILLS:],
        }
        step = max(-(-len(equity) // _MAX_POINTS), 1)
        trial["equity"] = {"count": len(equity), "every": step, "points": equity[::-step][::-1]}
    return record


async def _list_data_sets(lab: Lab, arguments: _Nothing, progress: Progress) -> dict[str, Any]:
    del arguments, progress
    found = await lab.ask(lambda client: list(islice(client.list_datasets(), _MAX_DATA_SETS + 1)))
    return {
        "data_sets": [plain(data_set) for data_set in found[:_MAX_DATA_SETS]],
        "more": len(found) > _MAX_DATA_SETS,
    }


VALIDATE = Tool(
    "validate_strategy",
    "Screen a zipline strategy without running it: what is forbidden or suspicious, line by line. "
    "With smoke it is lastly run for a moment in a container; nothing counts as a result.",
    _Validate,
    _validate,
)
BACKTEST = Tool(
    "run_backtest",
    "Run a zipline strategy once in a container of its own. Answers its outcome, the host's "
    "metrics beside the benchmark's, some of its fills and equity, and what screening found. "
    "Tells its progress while it runs.",
    _Backtest,
    _backtest,
)
LIST_DATA_SETS = Tool(
    "list_data_sets",
    "List the data sets: symbols, tiers, origin and what to know about them.",
    _Nothing,
    _list_data_sets,
)
