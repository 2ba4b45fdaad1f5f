"""Campaign specifications from a file and from flags; flags win."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from stratlab.api.convert.spec import spec_to_proto
from stratlab.api.validation import parse_spec
from stratlab.cli.reading import parse_list, parse_pairs, read_text
from stratlab.domain.errors import InvalidSpecError
from stratlab_proto.v1 import campaign_service_pb2

_MAX_FILE_BYTES = 1024 * 1024
_HINT = "Write the fields as in docs/cli.md; `stratlab campaign show ID --json` prints a whole one."


@final
@dataclass(frozen=True, slots=True)
class SpecFlags:
    """What was typed; None and empty mean "not given"."""

    file: Path | None = None
    name: str | None = None
    data: str | None = None
    markets: tuple[str, ...] = ()
    prompt: str | None = None
    constraints: tuple[str, ...] = ()
    generator: str | None = None
    templates: tuple[str, ...] = ()
    points: int | None = None
    screen_points: int | None = None
    sampler: str | None = None
    iterations: int | None = None
    wall_seconds: float | None = None
    gates: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    cost_model: str | None = None
    capital: float | None = None
    seed: int | None = None
    runtime: str | None = None
    engine: str | None = None
    review: str | None = None
    holdout: str | None = None
    arms: tuple[str, ...] = ()


def build_spec(flags: SpecFlags) -> campaign_service_pb2.CampaignSpec:
    """Return the checked specification, ready to be sent.

    Raises:
        InvalidInputError: The file cannot be read, or a flag cannot be understood.
        InvalidSpecError: A field is unknown or has a wrong value; names it.
    """
    fields = _read_file(flags.file) if flags.file else {}
    given = {
        "display_name": flags.name,
        "data_set": flags.data,
        "markets": [parse_list([market]) for market in flags.markets] or None,
        "prompt": flags.prompt,
        "constraints": list(flags.constraints) or None,
        "generator": flags.generator,
        "templates": parse_list(flags.templates) or None,
        "parameter_points": flags.points,
        "capital": flags.capital,
        "seed": flags.seed,
        "runtime": flags.runtime,
        "engine": flags.engine,
        "review": flags.review,
        "holdout": flags.holdout,
        "arms": parse_list(flags.arms) or None,
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    stops: dict[str, Any] = dict(parse_pairs(flags.stops, "--stop"))
    if flags.iterations is not None:
        stops["max_iterations"] = flags.iterations
    if flags.wall_seconds is not None:
        stops["max_wall_seconds"] = flags.wall_seconds
    _merge(fields, "stop_rules", stops)
    _merge(fields, "gates", parse_pairs(flags.gates, "--gate"))
    _merge(fields, "cost_model", {"kind": flags.cost_model} if flags.cost_model else {})
    search = {"screen_points": flags.screen_points, "sampler": flags.sampler}
    _merge(
        fields,
        "parameter_search",
        {name: value for name, value in search.items() if value is not None},
    )
    return spec_to_proto(parse_spec(fields))


def _merge(fields: dict[str, Any], section: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    before = fields.get(section, {})
    if not isinstance(before, dict):
        raise InvalidSpecError(f"{section}: is not a mapping", field=section)
    fields[section] = before | dict(values)


def _read_file(path: Path) -> dict[str, Any]:
    text = read_text(path, _MAX_FILE_BYTES, InvalidSpecError)
    kind = "JSON" if path.suffix == ".json" else "YAML"
    try:
        fields = json.loads(text) if kind == "JSON" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise InvalidSpecError(f"{path} is not {kind}: {_explain(error)}", hint=_HINT) from None
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise InvalidSpecError(f"{path} does not hold a mapping of field names", hint=_HINT)
    return fields


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0]
