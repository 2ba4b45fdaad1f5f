"""The forms that structured answers take, and the contract documents that they become.

Endpoints want closed schemas, so mappings with free names are lists of pairs here. Nothing is
judged on the way: what is wrong is found by the contract's own checks, whose words go back.
"""

from collections.abc import Mapping
from typing import Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT = 4000
_Number = float | int
_NumberOrName = float | int | str


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@final
class Brief(_Form):
    """What is to be tried, before it is written down."""

    thesis: str = Field(max_length=MAX_TEXT, description="Why it should earn money.")
    mechanism: str = Field(max_length=MAX_TEXT, description="Who pays, and why they go on paying.")
    expected_regime: str = Field(max_length=MAX_TEXT, description="When it should work.")
    invalidation: str = Field(max_length=MAX_TEXT, description="What would show that it does not.")


@final
class NamedValue(_Form):
    """A parameter of an indicator."""

    name: str
    value: _NumberOrName = Field(description="A number, or $name of a parameter.")


@final
class IndicatorForm(_Form):
    """A series computed from prices."""

    id: str
    name: str = Field(description="Entry of the indicator registry.")
    source: str = ""
    timeframe: str = Field(default="", description="A longer timeframe, empty for none.")
    params: list[NamedValue] = []


@final
class RuleForm(_Form):
    """A condition that opens or closes positions."""

    id: str
    side: Literal["long", "short"]
    when: str = Field(description="Condition in the rule language.")
    note: str = ""


@final
class DistanceForm(_Form):
    """A distance from a price."""

    kind: Literal["atr", "percent", "ticks"]
    indicator: str = Field(default="", description="Id of an atr indicator, for the kind atr.")
    value: _NumberOrName = Field(description="Multiple, percent or ticks; or $name.")


@final
class BreakevenForm(_Form):
    """Moves the stop to the entry."""

    trigger: DistanceForm
    offset_ticks: int = 0


@final
class SizingForm(_Form):
    """How many shares."""

    kind: Literal["units", "percent_equity", "risk_percent"]
    value: _Number = Field(description="Units, or percent.")


@final
class ParameterForm(_Form):
    """A number that a search may change."""

    name: str
    kind: Literal["int", "float"]
    min: _Number
    max: _Number
    step: _Number
    value: _Number


@final
class ContractForm(_Form):
    """The parts of a strategy contract that an author writes."""

    strategy_id: str
    thesis: str = Field(max_length=MAX_TEXT)
    indicators: list[IndicatorForm]
    entry_rules: list[RuleForm]
    exit_rules: list[RuleForm] = []
    stop: DistanceForm | None = None
    take: DistanceForm | None = None
    breakeven: BreakevenForm | None = None
    trailing: DistanceForm | None = None
    sizing: SizingForm
    parameters: list[ParameterForm] = []


@final
class CodeForm(_Form):
    """Free code, and the contract that describes it."""

    code: str = Field(description="The whole Python source.")
    contract: ContractForm


@final
class CritiqueForm(_Form):
    """A proposal for the next change."""

    operator: str = Field(default="", description="One of the named operators, empty for none.")
    parent: str = Field(default="", description="Name of the candidate to start from, or empty.")
    reason: str = Field(max_length=MAX_TEXT, description="Why, from the figures that are shown.")


def contract_document(form: ContractForm, structure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contract document: the parts of a form in the structure of another contract.

    Args:
        form: What the author wrote.
        structure: A whole contract as plain values; what no form holds is taken from it.
    """
    risk: dict[str, Any] = {"sizing": _sizing(form.sizing)}
    for name in ("stop", "take"):
        distance = getattr(form, name)
        if distance is not None:
            risk[name] = _distance(distance)
    if form.breakeven is not None:
        risk["breakeven"] = {
            "trigger": _distance(form.breakeven.trigger),
            "offset_ticks": form.breakeven.offset_ticks,
        }
    if form.trailing is not None:
        risk["trailing"] = {"distance": _distance(form.trailing)}
    return {
        **structure,
        "strategy_id": form.strategy_id,
        "thesis": " ".join(form.thesis.split()),
        "indicators": [_indicator(item) for item in form.indicators],
        "entry_rules": [rule.model_dump() for rule in form.entry_rules],
        "exit_rules": [rule.model_dump() for rule in form.exit_rules],
        "risk_model": risk,
        "optimization_space": _distinct(
            (item.name, item.model_dump(exclude={"name"})) for item in form.parameters
        ),
    }


def form_of(contract: Mapping[str, Any]) -> ContractForm:
    """Return the form of a contract document, to be shown as an example."""
    risk = contract["risk_model"]
    trailing, breakeven = risk.get("trailing") or {}, risk.get("breakeven")
    sizing = dict(risk["sizing"])
    kind = sizing.pop("kind")
    return ContractForm.model_validate(
        {
            "strategy_id": contract["strategy_id"],
            "thesis": contract["thesis"],
            "indicators": [
                {
                    **item,
                    "timeframe": item.get("timeframe") or "",
                    "params": [{"name": n, "value": v} for n, v in sorted(item["params"].items())],
                }
                for item in contract["indicators"]
            ],
            "entry_rules": contract["entry_rules"],
            "exit_rules": contract["exit_rules"],
            "stop": _distance_form(risk.get("stop")),
            "take": _distance_form(risk.get("take")),
            "breakeven": breakeven
            and {**breakeven, "trigger": _distance_form(breakeven["trigger"])},
            "trailing": _distance_form(trailing.get("distance")),
            "sizing": {"kind": kind, "value": sizing.get("units", sizing.get("percent"))},
            "parameters": [
                {"name": name, **{key: space[key] for key in _PARAMETER}}
                for name, space in sorted(contract["optimization_space"].items())
            ],
        }
    )


_PARAMETER = ("kind", "min", "max", "step", "value")


def _indicator(item: IndicatorForm) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "source": item.source,
        "timeframe": item.timeframe or None,
        "params": _distinct((pair.name, pair.value) for pair in item.params),
    }


def _distinct(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - pairs of names and JSON values
    found: dict[str, Any] = {}
    for name, value in pairs:
        # Twice the same name is an error of the author; a name like no other brings it to light.
        found[name if name not in found else f"{name} (twice)"] = value
    return found


def _distance(form: DistanceForm) -> dict[str, Any]:
    if form.kind == "atr":
        return {"kind": "atr", "indicator": form.indicator, "mult": form.value}
    return {"kind": form.kind, "value": form.value}


def _distance_form(distance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if distance is None:
        return None
    return {
        "kind": distance["kind"],
        "indicator": distance.get("indicator", ""),
        "value": distance.get("mult", distance.get("value")),
    }


def _sizing(form: SizingForm) -> dict[str, Any]:
    return {"kind": form.kind, "units" if form.kind == "units" else "percent": form.value}
