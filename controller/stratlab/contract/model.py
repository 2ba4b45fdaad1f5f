"""The strategy contract as frozen pydantic models: one normalised document for a strategy."""

from typing import Annotated, Any, Literal, Self, final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from stratlab.contract.consistency import find_problems
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.language import MAX_TEXT, RuleError, parse_rule
from stratlab.contract.timeframes import canonical_timeframe

SCHEMA_VERSION = "1.0.0"
MAX_RULES = 16
MAX_INDICATORS = 32
MAX_PARAMETERS = 32
MAX_MARKETS = 64

# Everything that an emitter may print is one of these; nothing else ever reaches code.
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z](_?[a-z0-9])*$", min_length=1, max_length=32)
]
ParameterName = Annotated[
    str, StringConstraints(pattern=r"^\$[a-z](_?[a-z0-9])*$", min_length=2, max_length=33)
]
Version = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}$", max_length=20)
]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
Thesis = Annotated[str, StringConstraints(max_length=4000)]
Note = Annotated[str, StringConstraints(max_length=500)]
RuleText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Whole = Annotated[int, Field(ge=-(10**9), le=10**9)]
Side = Literal["long", "short"]


def _timeframe(text: str) -> str:
    try:
        return canonical_timeframe(text)
    except ValueError as error:
        raise PydanticCustomError("timeframe", "{message}", {"message": str(error)}) from None


Timeframe = Annotated[
    str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}[mhdwM]$"), AfterValidator(_timeframe)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@final
class Indicator(_Part):
    """A series computed from prices.

    Attributes:
        id: What rules call it.
        name: Entry of the indicator registry.
        source: Price it reads; empty for the indicator's default.
        timeframe: A longer timeframe whose bars it reads, None for the strategy's own.
        params: The exact parameters of the registry's entry, numbers or ``$name``.
    """

    id: Identifier
    name: Identifier
    source: Annotated[str, StringConstraints(pattern=r"^[a-z]{0,16}$")] = ""
    timeframe: Timeframe | None = None
    params: dict[Identifier, Whole | Finite | ParameterName] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the document holds
        if not isinstance(data, dict):
            return data
        kind = REGISTRY.get(str(data.get("name")))
        params = data.get("params", {})
        if kind is None or not isinstance(params, dict):
            return data
        known = kind.parameters
        return {
            **data,
            "source": data.get("source") or kind.sources[0],
            "params": {
                name: _number(value, whole=known[name].whole) if name in known else value
                for name, value in params.items()
            },
        }


@final
class Rule(_Part):
    """A condition that opens or closes positions of one side; rules of a side are OR-ed.

    Attributes:
        id: For messages and generated code.
        side: Side of the position.
        when: Condition in the rule language; canonical when the contract was loaded.
        note: For people; never emitted.
    """

    id: Identifier
    side: Side
    when: RuleText
    note: Note = ""

    @field_validator("when")
    @classmethod
    def _parses(cls, text: str) -> str:
        try:
            parse_rule(text)
        except RuleError as error:
            raise PydanticCustomError("rule", "{message}", {"message": str(error)}) from None
        return text


@final
class AtrDistance(_Part):
    """``mult`` times the value of an ``atr`` indicator."""

    kind: Literal["atr"]
    indicator: Identifier
    mult: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | ParameterName


@final
class PercentDistance(_Part):
    """``value`` percent of the close."""

    kind: Literal["percent"]
    value: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | ParameterName


@final
class TicksDistance(_Part):
    """``value`` ticks of 0.01."""

    kind: Literal["ticks"]
    value: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | ParameterName


Distance = Annotated[AtrDistance | PercentDistance | TicksDistance, Field(discriminator="kind")]
"""A price distance, frozen at the bar of the signal."""


@final
class Breakeven(_Part):
    """Moves the stop to the entry plus ``offset_ticks`` once the profit reaches ``trigger``."""

    trigger: Distance
    offset_ticks: Annotated[int, Field(ge=0, le=1_000_000)] = 0


@final
class Trailing(_Part):
    """Follows the close at a distance; never moves against the position."""

    distance: Distance
    mode: Literal["bar_close"] = "bar_close"


@final
class Units(_Part):
    """A fixed number of shares."""

    kind: Literal["units"]
    units: Annotated[int, Field(ge=1, le=10**9)]


@final
class PercentEquity(_Part):
    """Shares worth ``percent`` of the equity of the symbol."""

    kind: Literal["percent_equity"]
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


@final
class RiskPercent(_Part):
    """Shares that lose ``percent`` of the symbol's equity at the stop, in steps of ``unit_step``.

    A position is never worth more than the equity of its symbol, however close the stop.
    """

    kind: Literal["risk_percent"]
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    unit_step: Annotated[int, Field(ge=1, le=10**9)] = 1


Sizing = Annotated[Units | PercentEquity | RiskPercent, Field(discriminator="kind")]


@final
class RiskModel(_Part):
    """How much is bought and how a position is protected; both sides mirror each other."""

    stop: Distance | None = None
    take: Distance | None = None
    breakeven: Breakeven | None = None
    trailing: Trailing | None = None
    sizing: Sizing

    @property
    def distances(self) -> dict[str, "AtrDistance | PercentDistance | TicksDistance"]:
        """The distances that are set, by their path below ``risk_model``."""
        found = {
            "stop": self.stop,
            "take": self.take,
            "breakeven.trigger": self.breakeven.trigger if self.breakeven else None,
            "trailing.distance": self.trailing.distance if self.trailing else None,
        }
        return {path: distance for path, distance in found.items() if distance is not None}


@final
class OptParam(_Part):
    """A number that a search may change, referenced as ``$name``.

    Attributes:
        enabled: Whether a search varies it; a disabled one keeps ``value``.
        min, max: Bounds, inclusive.
        step: Distance of neighbouring values on the grid that starts at ``min``.
        value: Default.
        kind: ``int`` for whole numbers.
    """

    enabled: bool = True
    min: Whole | Finite
    max: Whole | Finite
    step: Annotated[Whole | Finite, Field(gt=0)]
    value: Whole | Finite
    kind: Literal["int", "float"]

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the document holds
        if not isinstance(data, dict):
            return data
        whole = data.get("kind") == "int"
        numbers = {"min", "max", "step", "value"}
        return {
            key: _number(value, whole=whole) if key in numbers else value
            for key, value in data.items()
        }

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.value <= self.max:
            message = f"min <= value <= max does not hold: {self.min}, {self.value}, {self.max}"
            raise PydanticCustomError("bounds", "{message}", {"message": message})
        numbers = (self.min, self.max, self.step, self.value)
        if self.kind == "int" and not all(isinstance(number, int) for number in numbers):
            raise PydanticCustomError("whole", "a parameter of kind int has whole numbers only")
        return self


@final
class ContractGates(_Part):
    """Thresholds the author asks for; None leaves the campaign's. See ``domain.gates.Gates``."""

    max_drawdown: Annotated[float, Field(gt=0, le=1)] | None = None
    min_sharpe_ratio: Finite | None = None
    min_validation_sharpe_ratio: Finite | None = None
    max_oos_degradation: Finite | None = None
    min_total_trades: Annotated[int, Field(ge=0)] | None = None
    max_turnover: Annotated[float, Field(gt=0)] | None = None


@final
class Execution(_Part):
    """When rules are evaluated and how orders fill."""

    evaluate: Literal["bar_close"] = "bar_close"
    fill: Literal["next_open"] = "next_open"
    intrabar: Literal["tv_path", "stop_first"] = "tv_path"
    pyramiding: Literal[0] = 0


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("unique", "every entry may appear once only")
    return values


@final
class StrategyContract(_Part):
    """A strategy: indicators, rules, risk model and the space of its parameters.

    Lists whose order has no meaning are sorted, so equal strategies are equal documents.
    """

    schema_version: Literal["1.0.0"]
    strategy_id: Identifier
    version: Version
    thesis: Thesis
    markets: Annotated[tuple[Symbol, ...], Field(max_length=MAX_MARKETS)] = ()
    timeframes: Annotated[
        tuple[Timeframe, ...], Field(min_length=1, max_length=16), AfterValidator(_unique)
    ] = ("1d",)
    indicators: Annotated[tuple[Indicator, ...], Field(max_length=MAX_INDICATORS)]
    entry_rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=MAX_RULES)]
    exit_rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = ()
    risk_model: RiskModel
    optimization_space: Annotated[dict[Identifier, OptParam], Field(max_length=MAX_PARAMETERS)] = (
        Field(default_factory=dict)
    )
    gates: ContractGates = ContractGates()
    execution: Execution = Execution()

    @field_validator("markets")
    @classmethod
    def _sort_markets(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(_unique(symbols)))

    @field_validator("indicators")
    @classmethod
    def _sort_indicators(cls, indicators: tuple[Indicator, ...]) -> tuple[Indicator, ...]:
        return tuple(sorted(indicators, key=lambda indicator: indicator.id))

    @field_validator("entry_rules", "exit_rules")
    @classmethod
    def _sort_rules(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(sorted(rules, key=lambda rule: (rule.side, rule.id)))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = find_problems(self)
        if problems:
            raise PydanticCustomError("contract", "{problems}", {"problems": "\n".join(problems)})
        return self

    @property
    def parameters(self) -> dict[str, int | float]:
        """Default value of every parameter, sorted by name."""
        return {
            name: self.optimization_space[name].value for name in sorted(self.optimization_space)
        }


def _number(value: object, *, whole: bool) -> object:
    # One number, one spelling: 20.0 becomes 20 where whole numbers belong, 2 becomes 2.0 elsewhere.
    if isinstance(value, float) and whole and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and not whole:
        return float(value)
    return value
