"""Checks what callers send and fills in the defaults; the domain sees only valid values."""

import dataclasses
import math
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from stratlab.domain.campaign import CampaignSpec, StopRules
from stratlab.domain.errors import (
    InvalidInputError,
    InvalidParametersError,
    InvalidSourceError,
    InvalidSpecError,
)
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import Gates
from stratlab.domain.market import CostModel, CostModelKind, DataSet
from stratlab.domain.robustness import Arm
from stratlab.domain.search import (
    DEFAULT_SCREEN_POINTS,
    Islands,
    ParameterSearch,
    ReviewMode,
    Sampler,
)
from stratlab.domain.strategy import GeneratorKind
from stratlab.domain.trial import Engine, Limits
from stratlab_runner.contract import MAX_SOURCE_BYTES

DEFAULT_DATA_SET = "us-daily"
MAX_REQUEST_ID = 128
_SPEC = CampaignSpec(display_name="", data_set="", markets=())
_MAX_SEED = 2**32 - 1  # what numpy's seed takes
_SHOWN_ERRORS = 5
_TEXTS = {
    "extra_forbidden": "no such field",
    "model_type": "should be a mapping of field names",
    "dict_type": "should be a mapping",
    "tuple_type": "should be a list",
    "string_unicode": "should be Unicode text",
}

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
_Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
_Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.=_/-]{0,31}$")]
_Symbols = Annotated[tuple[_Symbol, ...], Field(max_length=1000)]
_Sentence = Annotated[str, StringConstraints(max_length=1000)]
_Runtime = Literal["", "runc", "runsc", "runsc-plain"]
_Capital = Annotated[float, Field(gt=0, le=1e12)]
_Seed = Annotated[int, Field(ge=0, le=_MAX_SEED)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def to_plain(self) -> dict[str, Any]:
        # Shallow on purpose: nested documents become domain objects of their own.
        return {name: getattr(self, name) for name in type(self).model_fields}


@final
class _GatesDocument(_Document):
    max_drawdown: float | None = Field(default=_SPEC.gates.max_drawdown, gt=0, le=1)
    min_sharpe_ratio: float | None = _SPEC.gates.min_sharpe_ratio
    min_validation_sharpe_ratio: float | None = _SPEC.gates.min_validation_sharpe_ratio
    max_oos_degradation: float | None = _SPEC.gates.max_oos_degradation
    min_total_trades: int | None = Field(default=_SPEC.gates.min_total_trades, ge=0, le=1_000_000)
    max_turnover: float | None = Field(default=_SPEC.gates.max_turnover, gt=0)


@final
class _StopRulesDocument(_Document):
    max_iterations: int | None = Field(default=_SPEC.stop_rules.max_iterations, ge=1, le=1_000_000)
    max_wall_seconds: float | None = Field(default=_SPEC.stop_rules.max_wall_seconds, gt=0, le=1e8)
    max_tokens: int | None = Field(default=_SPEC.stop_rules.max_tokens, ge=1, le=10**15)
    max_cost_usd: float | None = Field(default=_SPEC.stop_rules.max_cost_usd, gt=0)
    max_consecutive_failures: int | None = Field(
        default=_SPEC.stop_rules.max_consecutive_failures, ge=1, le=1_000_000
    )
    max_drawdown_breach: float | None = Field(
        default=_SPEC.stop_rules.max_drawdown_breach, gt=0, le=1
    )
    no_improvement_iterations: int | None = Field(
        default=_SPEC.stop_rules.no_improvement_iterations, ge=1, le=1_000_000
    )
    max_score_volatility: float | None = Field(default=_SPEC.stop_rules.max_score_volatility, gt=0)
    max_overfit_gap: float | None = Field(default=_SPEC.stop_rules.max_overfit_gap, gt=0)

    @model_validator(mode="after")
    def _ends_for_certain(self) -> "_StopRulesDocument":
        if self.max_iterations is None and self.max_wall_seconds is None:
            raise ValueError("max_iterations and max_wall_seconds cannot both be off")
        return self


@final
class _CostModelDocument(_Document):
    kind: CostModelKind = _SPEC.cost_model.kind
    slippage_bps: float = Field(default=_SPEC.cost_model.slippage_bps, ge=0, le=1000)
    commission_per_share: float = Field(default=_SPEC.cost_model.commission_per_share, ge=0, le=100)
    volume_limit: float = Field(default=_SPEC.cost_model.volume_limit, gt=0, le=1)


@final
class _LimitsDocument(_Document):
    memory_mib: int = Field(default=_SPEC.limits.memory_mib, ge=128, le=65536)
    cpus: float = Field(default=_SPEC.limits.cpus, ge=0.1, le=64)
    pids: int = Field(default=_SPEC.limits.pids, ge=16, le=4096)
    tmp_mib: int = Field(default=_SPEC.limits.tmp_mib, ge=1, le=4096)
    cpu_seconds: int = Field(default=_SPEC.limits.cpu_seconds, ge=1, le=86400)
    wall_seconds: int = Field(default=_SPEC.limits.wall_seconds, ge=1, le=86400)
    output_mib: int = Field(default=_SPEC.limits.output_mib, ge=1, le=1024)
    max_leverage: float = Field(default=_SPEC.limits.max_leverage, gt=0, le=100)
    max_position_shares: int | None = Field(
        default=_SPEC.limits.max_position_shares, ge=1, le=1_000_000_000
    )


@final
class _ParameterSearchDocument(_Document):
    sampler: Sampler = _SPEC.parameter_search.sampler
    screen_points: int = Field(default=DEFAULT_SCREEN_POINTS, ge=0, le=100_000)


@final
class _IslandsDocument(_Document):
    count: int = Field(default=_SPEC.islands.count, ge=1, le=16)
    migration_interval: int = Field(default=_SPEC.islands.migration_interval, ge=1, le=10_000)


@final
class _SpecDocument(_Document):
    display_name: str = Field(default="", max_length=200)
    data_set: _Name = DEFAULT_DATA_SET
    markets: tuple[_Symbols, ...] = Field(default=(), max_length=100)
    prompt: str = Field(default="", max_length=20_000)
    constraints: tuple[_Sentence, ...] = Field(default=(), max_length=100)
    timeframes: tuple[_Name, ...] = Field(default=(), max_length=10)
    generator: GeneratorKind = GeneratorKind.AUTO
    templates: tuple[_Name, ...] = Field(default=(), max_length=100)
    parameter_space: dict[_Identifier, tuple[float, float, float]] = Field(
        default={}, max_length=100
    )
    parameter_points: int = Field(default=_SPEC.parameter_points, ge=1, le=1000)
    gates: _GatesDocument = _GatesDocument()
    stop_rules: _StopRulesDocument = _StopRulesDocument()
    cost_model: _CostModelDocument = _CostModelDocument()
    limits: _LimitsDocument = _LimitsDocument()
    capital: _Capital = _SPEC.capital
    seed: _Seed = _SPEC.seed
    runtime: _Runtime = ""
    engine: Engine = _SPEC.engine
    review: ReviewMode = _SPEC.review
    holdout: HoldoutMode = _SPEC.holdout
    arms: tuple[Arm, ...] = Field(default=(), max_length=len(Arm))
    parameter_search: _ParameterSearchDocument = _ParameterSearchDocument()
    islands: _IslandsDocument = _IslandsDocument()

    @field_validator("markets")
    @classmethod
    def _markets_have_symbols(cls, markets: tuple[_Symbols, ...]) -> tuple[_Symbols, ...]:
        for symbols in markets:
            if not symbols:
                raise ValueError("a market set needs at least one symbol")
            _require_distinct(symbols)
        return markets

    @field_validator("arms")
    @classmethod
    def _arms_differ(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        if len(set(arms)) < len(arms):
            raise ValueError("an arm is named twice")
        return arms

    @field_validator("parameter_space")
    @classmethod
    def _bounds_enclose_steps(
        cls, space: dict[str, tuple[float, float, float]]
    ) -> dict[str, tuple[float, float, float]]:
        for name, (low, high, step) in space.items():
            if low > high or step <= 0:
                raise ValueError(f"{name}: needs min <= max and step > 0")
        return space


@final
class _BacktestDocument(_Document):
    source: str
    data_set: _Name = DEFAULT_DATA_SET
    symbols: _Symbols = ()
    start: date | None = None
    end: date | None = None
    parameters: dict[_Identifier, Any] = Field(default={}, max_length=100)
    cost_model: _CostModelDocument = _CostModelDocument()
    limits: _LimitsDocument = _LimitsDocument()
    capital: _Capital = _SPEC.capital
    seed: _Seed = _SPEC.seed
    skip_screening: bool = False
    causality: bool = False
    runtime: _Runtime = ""
    engine: Engine = _SPEC.engine

    @field_validator("parameters")
    @classmethod
    def _parameters_are_numbers(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for name, value in parameters.items():
            # Not isinstance: True is no number here.
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(f"{name} is not a finite number")
        return parameters

    @field_validator("symbols")
    @classmethod
    def _symbols_differ(cls, symbols: _Symbols) -> _Symbols:
        _require_distinct(symbols)
        return symbols

    @model_validator(mode="after")
    def _starts_before_end(self) -> "_BacktestDocument":
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self


_DocumentType = TypeVar("_DocumentType", bound=_Document)


def parse_spec(fields: Mapping[str, object]) -> CampaignSpec:
    """Return the specification that ``fields`` describe, defaults filled in.

    Args:
        fields: Named as in :class:`stratlab.domain.campaign.CampaignSpec`; None switches a gate
            or stop rule off. ``markets``, ``timeframes`` and ``runtime`` may stay empty, and
            ``generator`` may be ``auto``: the server fills them.

    Raises:
        InvalidSpecError: A field is unknown or has a wrong value; names it.
    """
    document = _validated(_SpecDocument, fields, InvalidSpecError)
    plain = document.to_plain()
    return CampaignSpec(
        **plain
        | {
            "display_name": document.display_name or f"Search on {document.data_set}",
            "gates": Gates(**document.gates.to_plain()),
            "stop_rules": StopRules(**document.stop_rules.to_plain()),
            "cost_model": CostModel(**document.cost_model.to_plain()),
            "limits": Limits(**document.limits.to_plain()),
            "parameter_search": ParameterSearch(**document.parameter_search.to_plain()),
            "islands": Islands(**document.islands.to_plain()),
        }
    )


def with_server_defaults(
    spec: CampaignSpec, data_set: DataSet, runtime: str, generator: GeneratorKind
) -> CampaignSpec:
    """Return the specification with everything filled in that was left to the server.

    Args:
        spec: A valid specification.
        data_set: The one it names; all of its symbols together are the default market.
        runtime: The server's default container runtime.
        generator: Who writes the strategies of a specification that does not say it.
    """
    return dataclasses.replace(
        spec,
        markets=spec.markets or (data_set.symbols,),
        timeframes=spec.timeframes or (data_set.timeframe,),
        runtime=spec.runtime or runtime,
        generator=generator if spec.generator is GeneratorKind.AUTO else spec.generator,
    )


def parse_backtest(fields: Mapping[str, object], runtime: str) -> dict[str, Any]:
    """Return the arguments of a backtest request, defaults filled in.

    Args:
        fields: Named as in ``BacktestRequest``.
        runtime: The server's default container runtime.

    Raises:
        InvalidSourceError: The source is empty, too long or holds a NUL.
        InvalidParametersError: A parameter is not a number.
        InvalidInputError: Another field is wrong; names it.
    """
    document = _validated(_BacktestDocument, fields, InvalidInputError)
    require_source(document.source)
    return document.to_plain() | {
        "cost_model": CostModel(**document.cost_model.to_plain()),
        "limits": Limits(**document.limits.to_plain()),
        "runtime": document.runtime or runtime,
    }


def require_source(source: str) -> None:
    """Check that a strategy's source can be handled at all.

    Raises:
        InvalidSourceError: The source is empty, too long or holds a NUL.
    """
    if not source.strip():
        raise InvalidSourceError("source: is empty", field="source")
    if "\0" in source:
        raise InvalidSourceError("source: contains a NUL byte", field="source")
    size = len(source.encode(errors="surrogatepass"))
    if size > MAX_SOURCE_BYTES:
        raise InvalidSourceError(
            f"source: {size} bytes are more than {MAX_SOURCE_BYTES}", field="source"
        )


def _require_distinct(symbols: tuple[str, ...]) -> None:
    if len(set(symbols)) != len(symbols):
        raise ValueError("names a symbol twice")


def _validated(
    document: type[_DocumentType], fields: Mapping[str, object], error: type[InvalidInputError]
) -> _DocumentType:
    try:
        return document.model_validate(fields)
    except ValidationError as invalid:
        # Never the input itself (it may be huge) and never pydantic's URLs.
        details = invalid.errors(include_url=False, include_input=False, include_context=False)
    places = [".".join(str(part)[:64] for part in detail["loc"]) for detail in details]
    texts = [
        ": ".join(filter(None, (place, _TEXTS.get(detail["type"]) or _plain(detail["msg"]))))
        for place, detail in zip(places, details, strict=True)
    ]
    kind = InvalidParametersError if places[0].startswith("parameters") else error
    raise kind("; ".join(text[:300] for text in texts[:_SHOWN_ERRORS]), field=places[0])


def _plain(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
