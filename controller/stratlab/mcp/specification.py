"""Campaign specifications from the arguments of a tool; the server fills in and judges the rest."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field

from stratlab.domain.campaign import StopRules
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import Gates
from stratlab.domain.market import CostModelKind
from stratlab.domain.robustness import Arm
from stratlab.domain.search import ReviewMode, Sampler
from stratlab.domain.strategy import GeneratorKind
from stratlab.mcp.tool import Arguments
from stratlab_proto.v1 import campaign_service_pb2 as pb
from stratlab_proto.v1 import common_pb2

_GATES = ", ".join(field.name for field in fields(Gates))
_STOP_RULES = ", ".join(field.name for field in fields(StopRules))
_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Bounds = dict[str, int | float | None]


class Specification(Arguments):
    """What a campaign searches for; what is left out has the lab's defaults."""

    display_name: str = Field(default="", description="For people.")
    prompt: str = Field(default="", description="What to look for, in the user's words.")
    constraints: list[str] = Field(default=[], description="Further demands, a sentence each.")
    data_set: str = Field(default="", description='"" for us-daily; see list_data_sets.')
    markets: list[list[str]] = Field(
        default=[], description="Symbols traded together, set by set; empty for all together."
    )
    generator: GeneratorKind = Field(
        default=GeneratorKind.AUTO,
        description="auto: hybrid where the lab can ask a language model, else factor_graph.",
    )
    templates: list[str] = Field(default=[], description="To start from; empty for all.")
    parameter_points: _Count = Field(default=0, description="Per candidate; 0: the default.")
    screen_points: _Count | None = Field(
        default=None, description="Looked at on the host before; 0: none."
    )
    sampler: Sampler | None = None
    gates: _Bounds = Field(default={}, description=f"Bounds, null for off: {_GATES}.")
    stop_rules: _Bounds = Field(default={}, description=f"Bounds, null for off: {_STOP_RULES}.")
    cost_model: CostModelKind | None = None
    capital: float = Field(default=0.0, ge=0, description="Starting cash; 0: the default.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Of every random choice.")
    review: ReviewMode | None = Field(
        default=None, description="required: a candidate with warnings waits for a person."
    )
    holdout: HoldoutMode | None = Field(
        default=None, description="manual: only an operator opens the holdout."
    )
    arms: list[Arm] = Field(default=[], description="Reference arms shown beside the result.")


def to_message(given: Specification) -> pb.CampaignSpec:
    """Return the message of a specification.

    Raises:
        InvalidSpecError: A bound is unknown or cannot be sent; names it.
    """
    message = pb.CampaignSpec(
        display_name=given.display_name,
        prompt=given.prompt,
        constraints=given.constraints,
        data_set=given.data_set,
        markets=[pb.MarketSet(symbols=symbols) for symbols in given.markets],
        templates=given.templates,
        parameter_points=given.parameter_points,
        capital=given.capital,
        seed=given.seed,
        arms=[pb.ReferenceArm.Value(f"REFERENCE_ARM_{arm.name}") for arm in given.arms],
    )
    if given.generator is not GeneratorKind.AUTO:
        message.generator = pb.GeneratorKind.Value(f"GENERATOR_KIND_{given.generator.name}")
    if given.sampler is not None:
        sampler = pb.ParameterSearch.Sampler.Value(f"SAMPLER_{given.sampler.name}")
        message.parameter_search.sampler = sampler
    if given.screen_points is not None:
        message.parameter_search.screen_points = given.screen_points
    if given.cost_model is not None:
        kind = common_pb2.CostModel.Kind.Value(f"KIND_{given.cost_model.name}")
        message.cost_model.kind = kind
    if given.review is not None:
        message.review = pb.ReviewMode.Value(f"REVIEW_MODE_{given.review.name}")
    if given.holdout is not None:
        message.holdout = pb.HoldoutMode.Value(f"HOLDOUT_MODE_{given.holdout.name}")
    _set_bounds(message.gates, "gates", given.gates)
    rules = dict(given.stop_rules)
    seconds = rules.pop("max_wall_seconds", math.nan)
    if seconds is None or not math.isnan(seconds):
        _set_wall_time(message.stop_rules, seconds or 0)
    _set_bounds(message.stop_rules, "stop_rules", rules)
    return message


def _set_bounds(message: Any, section: str, bounds: Mapping[str, int | float | None]) -> None:  # noqa: ANN401 (either section)
    names = _GATES if section == "gates" else _STOP_RULES
    for name, bound in bounds.items():
        if name not in names.split(", "):
            hint = f"Known are: {names}."
            raise InvalidSpecError(f"{section}.{name[:64]}: no such field", hint=hint)
        try:
            setattr(message, name, _off(section, name) if bound is None else bound)
        except (OverflowError, TypeError, ValueError):
            raise InvalidSpecError(f"{section}.{name}: {bound} cannot be used") from None


def _set_wall_time(rules: pb.StopRules, seconds: float) -> None:
    try:
        rules.max_wall_time.FromNanoseconds(round(seconds * 10**9))
    except (OverflowError, ValueError):
        raise InvalidSpecError(f"stop_rules.max_wall_seconds: {seconds:g} cannot be used") from None


def _off(section: str, name: str) -> float:
    # What the API calls off: zero for a rule, a negative count or NaN for a gate.
    if section == "stop_rules":
        return 0
    return -1 if name == "min_total_trades" else math.nan
