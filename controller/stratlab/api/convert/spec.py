"""Campaign specifications, in both directions."""

import dataclasses
import math

from stratlab.api.convert.trial import (
    cost_model_fields,
    cost_model_to_proto,
    limits_fields,
    limits_to_proto,
)
from stratlab.api.convert.values import seconds_from_proto, seconds_to_proto
from stratlab.domain.campaign import CampaignSpec, StopRules
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import Gates
from stratlab.domain.robustness import Arm
from stratlab.domain.search import ReviewMode, Sampler
from stratlab.domain.strategy import GeneratorKind
from stratlab_proto.v1 import campaign_service_pb2 as pb

GENERATORS = {
    GeneratorKind.AUTO: pb.GENERATOR_KIND_UNSPECIFIED,
    GeneratorKind.TEMPLATE: pb.GENERATOR_KIND_TEMPLATE,
    GeneratorKind.FACTOR_GRAPH: pb.GENERATOR_KIND_FACTOR_GRAPH,
    GeneratorKind.CLAUDE: pb.GENERATOR_KIND_CLAUDE,
    GeneratorKind.HYBRID: pb.GENERATOR_KIND_HYBRID,
}
_GENERATOR_NAMES = {number: kind for kind, number in GENERATORS.items()}
_REVIEWS = {
    ReviewMode.AUTO: pb.REVIEW_MODE_AUTO,
    ReviewMode.REQUIRED: pb.REVIEW_MODE_REQUIRED,
}
_REVIEW_NAMES = {number: mode for mode, number in _REVIEWS.items()}
_HOLDOUTS = {
    HoldoutMode.ONCE_FOR_FINALIST: pb.HOLDOUT_MODE_ONCE_FOR_FINALIST,
    HoldoutMode.MANUAL: pb.HOLDOUT_MODE_MANUAL,
}
_HOLDOUT_NAMES = {number: mode for mode, number in _HOLDOUTS.items()}
_ARMS = {
    Arm.RANDOM_SEARCH: pb.REFERENCE_ARM_RANDOM_SEARCH,
    Arm.OPTUNA: pb.REFERENCE_ARM_OPTUNA,
    Arm.BUY_AND_HOLD: pb.REFERENCE_ARM_BUY_AND_HOLD,
    Arm.EQUAL_WEIGHT: pb.REFERENCE_ARM_EQUAL_WEIGHT,
}
_ARM_NAMES = {number: arm for arm, number in _ARMS.items()}
_SAMPLERS = {
    Sampler.TPE: pb.ParameterSearch.SAMPLER_TPE,
    Sampler.RANDOM: pb.ParameterSearch.SAMPLER_RANDOM,
    Sampler.CMAES: pb.ParameterSearch.SAMPLER_CMAES,
    Sampler.GRID: pb.ParameterSearch.SAMPLER_GRID,
}
_SAMPLER_NAMES = {number: sampler for sampler, number in _SAMPLERS.items()}


def spec_to_proto(spec: CampaignSpec) -> pb.CampaignSpec:
    """Return the message of a specification with every default written out."""
    return pb.CampaignSpec(
        display_name=spec.display_name,
        data_set=spec.data_set,
        markets=[pb.MarketSet(symbols=symbols) for symbols in spec.markets],
        prompt=spec.prompt,
        constraints=spec.constraints,
        timeframes=spec.timeframes,
        generator=GENERATORS[spec.generator],
        templates=spec.templates,
        parameter_space={
            name: pb.ParameterRange(min=low, max=high, step=step)
            for name, (low, high, step) in spec.parameter_space.items()
        },
        parameter_points=spec.parameter_points,
        gates=_gates_to_proto(spec.gates),
        stop_rules=_stop_rules_to_proto(spec.stop_rules),
        cost_model=cost_model_to_proto(spec.cost_model),
        limits=limits_to_proto(spec.limits),
        capital=spec.capital,
        seed=spec.seed,
        runtime=spec.runtime,
        engine=spec.engine,
        review=_REVIEWS[spec.review],
        holdout=_HOLDOUTS[spec.holdout],
        arms=[_ARMS[arm] for arm in spec.arms],
        parameter_search=pb.ParameterSearch(
            sampler=_SAMPLERS[spec.parameter_search.sampler],
            screen_points=spec.parameter_search.screen_points,
        ),
        islands=pb.Islands(
            count=spec.islands.count, migration_interval=spec.islands.migration_interval
        ),
    )


def spec_fields(message: pb.CampaignSpec) -> dict[str, object]:
    """Return the fields that were sent, named as in the domain, for validation.

    What switches a gate or rule off in the proto (NaN, a negative count, zero) becomes None.
    """
    fields: dict[str, object] = {
        name: getattr(message, name)
        for name in ("display_name", "data_set", "prompt", "seed", "runtime", "engine")
        if getattr(message, name)
    }
    fields |= {
        name: list(getattr(message, name))
        for name in ("constraints", "timeframes", "templates")
        if getattr(message, name)
    }
    # Zero is "the default"; anything else, also what is wrong, is for validation to judge.
    fields |= {
        name: getattr(message, name)
        for name in ("parameter_points", "capital")
        if getattr(message, name) != 0
    }
    if message.markets:
        fields["markets"] = [list(market.symbols) for market in message.markets]
    if message.generator != pb.GENERATOR_KIND_UNSPECIFIED:
        fields["generator"] = _GENERATOR_NAMES.get(message.generator, message.generator)
    if message.parameter_space:
        fields["parameter_space"] = {
            name: (bounds.min, bounds.max, bounds.step)
            for name, bounds in message.parameter_space.items()
        }
    fields["gates"] = _gates_fields(message.gates)
    fields["stop_rules"] = _stop_rules_fields(message.stop_rules)
    fields["cost_model"] = cost_model_fields(message.cost_model)
    fields["limits"] = limits_fields(message.limits)
    if message.review != pb.REVIEW_MODE_UNSPECIFIED:
        fields["review"] = _REVIEW_NAMES.get(message.review, message.review)
    if message.holdout != pb.HOLDOUT_MODE_UNSPECIFIED:
        fields["holdout"] = _HOLDOUT_NAMES.get(message.holdout, message.holdout)
    if message.arms:
        fields["arms"] = [_ARM_NAMES.get(arm, arm) for arm in message.arms]
    fields["parameter_search"] = _parameter_search_fields(message.parameter_search)
    fields["islands"] = {
        descriptor.name: value for descriptor, value in message.islands.ListFields()
    }
    return fields


def _parameter_search_fields(message: pb.ParameterSearch) -> dict[str, object]:
    fields: dict[str, object] = {}
    if message.sampler != pb.ParameterSearch.SAMPLER_UNSPECIFIED:
        fields["sampler"] = _SAMPLER_NAMES.get(message.sampler, message.sampler)
    if message.HasField("screen_points"):
        fields["screen_points"] = message.screen_points
    return fields


def _gates_to_proto(gates: Gates) -> pb.Gates:
    bounds = dataclasses.asdict(gates)
    trades = bounds.pop("min_total_trades")
    return pb.Gates(
        min_total_trades=-1 if trades is None else trades,
        **{name: math.nan if bound is None else bound for name, bound in bounds.items()},
    )


def _gates_fields(message: pb.Gates) -> dict[str, object]:
    fields: dict[str, object] = {}
    for descriptor, bound in message.ListFields():
        off = bound < 0 if descriptor.name == "min_total_trades" else math.isnan(bound)
        fields[descriptor.name] = None if off else bound
    return fields


def _stop_rules_to_proto(rules: StopRules) -> pb.StopRules:
    bounds = {name: bound or 0 for name, bound in dataclasses.asdict(rules).items()}
    wall_seconds = bounds.pop("max_wall_seconds")
    return pb.StopRules(max_wall_time=seconds_to_proto(wall_seconds), **bounds)


def _stop_rules_fields(message: pb.StopRules) -> dict[str, object]:
    # `or None`: zero switches a rule off.
    fields: dict[str, object] = {
        descriptor.name: bound or None for descriptor, bound in message.ListFields()
    }
    if fields.pop("max_wall_time", None) is not None:
        fields["max_wall_seconds"] = seconds_from_proto(message.max_wall_time) or None
    return fields
