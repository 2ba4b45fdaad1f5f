"""The strategy contract as frozen pydantic models: one normalised document for a strategy."""

from typing import Annotated, Any, Literal, Self, final

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from stratlab.contract.consistency import find_problems
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.language import RuleError, parse_rule
from stratlab.contract.parts import (
    Finite,
    Identifier,
    Note,
    ParameterName,
    Part,
    RuleText,
    Side,
    Symbol,
    Thesis,
    Timeframe,
    Version,
    Whole,
    one_spelling,
)

SCHEMA_VERSION = "1.0.0"
MAX_RULES = 16
MAX_INDICATORS = 32
MAX_PARAMETERS = 32
MAX_MARKETS = 64


@final
class Indicator(Part):
    """A series computed from prices.

    Attributes:
        id: What rules call it.
        name: Entry of the indicator registry.
        source: Price it reads; empty for the indicator's default.
        timeframe: A longer timeframe whose bars it reads, null for the strategy's own.
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
                name: one_spelling(value, whole=known[name].whole) if name in known else value
                for name, value in params.items()
            },
        }


@final
class Rule(Part):
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
class AtrDistance(Part):
    """A multiple of the average true range.

    Attributes:
        indicator: Id of an ``atr`` indicator.
        mult: How many times its value, a number or ``$name``.
    """

    kind: Literal["atr"]
    indicator: Identifier
    mult: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | ParameterName


@final
class PercentDistance(Part):
    """A part of the close.

    Attributes:
        value: Percent, a number or ``$name``.
    """

    kind: Literal["percent"]
    value: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | ParameterName


@final
class TicksDistance(Part):
    """A fixed distance.

    Attributes:
        value: Ticks of 0.01, a number or ``$name``.
    """

    kind: Literal["ticks"]
    value: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | ParameterName


Distance = Annotated[AtrDistance | PercentDistance | TicksDistance, Field(discriminator="kind")]
"""A price distance, frozen at the bar of the signal."""


@final
class Breakeven(Part):
    """Moves the stop to the entry at the first close with enough profit.

    Attributes:
        trigger: Profit that is enough.
        offset_ticks: Ticks of 0.01 beyond the fill price.
    """

    trigger: Distance
    offset_ticks: Annotated[int, Field(ge=0, le=1_000_000)] = 0


@final
class Trailing(Part):
    """Lets the stop follow the close; it never moves back.

    Attributes:
        distance: From each close.
        mode: When it moves.
    """

    distance: Distance
    mode: Literal["bar_close"] = "bar_close"


@final
class Units(Part):
    """A fixed number of shares.

    Attributes:
        units: Shares.
    """

    kind: Literal["units"]
    units: Annotated[int, Field(ge=1, le=10**9)]


@final
class PercentEquity(Part):
    """Shares worth a part of the symbol's equity.

    Attributes:
        percent: Of the account's equity divided by the number of symbols.
    """

    kind: Literal["percent_equity"]
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


@final
class RiskPercent(Part):
    """Shares that lose a part of the symbol's equity at the stop.

    A position is never worth more than the equity of its symbol, however close the stop.

    Attributes:
        percent: Of the account's equity divided by the number of symbols.
        unit_step: Shares come in multiples of it.
    """

    kind: Literal["risk_percent"]
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    unit_step: Annotated[int, Field(ge=1, le=10**9)] = 1


Sizing = Annotated[Units | PercentEquity | RiskPercent, Field(discriminator="kind")]


@final
class RiskModel(Part):
    """How much is bought and how a position is protected; both sides mirror each other.

    Attributes:
        stop: Closes at a loss, from the fill price.
        take: Closes at a profit, from the fill price.
        breakeven: Moves the stop to the entry.
        trailing: Lets the stop follow the price.
        sizing: How many shares.
    """

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
class OptParam(Part):
    """A number that a search may change, referenced as ``$name``.

    Attributes:
        enabled: Whether a search varies it; a disabled one keeps ``value``.
        min: Lower bound, inclusive.
        max: Upper bound, inclusive.
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
            key: one_spelling(value, whole=whole) if key in numbers else value
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
class ContractGates(Part):
    """Thresholds the author has in mind; a campaign judges by its own.

    Attributes:
        max_drawdown: Positive fraction, against the absolute value.
        min_sharpe_ratio: Annual, on the training tier.
        min_validation_sharpe_ratio: Annual, on the validation tier.
        max_oos_degradation: Annual Sharpe ratio, training minus validation.
        min_total_trades: Closed round trips on the training tier.
        max_turnover: Per year, on the training tier.
    """

    max_drawdown: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    min_sharpe_ratio: Finite | None = None
    min_validation_sharpe_ratio: Finite | None = None
    max_oos_degradation: Finite | None = None
    min_total_trades: Annotated[int, Field(ge=0, le=10**9)] | None = None
    max_turnover: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None


@final
class Execution(Part):
    """When rules are evaluated and how orders fill.

    Attributes:
        evaluate: Rules are looked at when a bar has closed.
        fill: Market orders fill at the open of the next bar.
        intrabar: Which level of a bracket a bar reaches first; ``stop_first`` is refused so far.
        pyramiding: Further entries while a position is open.
    """

    evaluate: Literal["bar_close"] = "bar_close"
    fill: Literal["next_open"] = "next_open"
    intrabar: Literal["tv_path", "stop_first"] = "tv_path"
    pyramiding: Literal[0] = 0


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("unique", "every entry may appear once only")
    return values


@final
class StrategyContract(Part):
    """A strategy: indicators, rules, risk model and the space of its parameters.

    Lists whose order has no meaning are sorted, so equal strategies are equal documents.

    Attributes:
        schema_version: Of this format.
        strategy_id: What the strategy is called.
        version: Semantic version of the strategy.
        thesis: Why it should earn money; for people, never emitted.
        markets: Symbols it is meant for; empty for any.
        timeframes: Of the bars that it trades.
        indicators: Series computed from prices.
        entry_rules: Conditions that open positions.
        exit_rules: Conditions that close them, besides the risk model.
        risk_model: Stops, takes and size.
        optimization_space: Numbers that a search may change, by name without ``$``.
        gates: Thresholds of its own.
        execution: When it decides and how it fills.
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
