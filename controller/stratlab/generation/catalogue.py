"""The catalogue: what a strategy may use, asked of image, registry and data, as JSON and prompt.

Nothing is listed by hand: contracts come from the registries that check them, zipline's names
from the image that runs strategies, markets from the data sets that exist. So a prompt that was
made here cannot promise what the sandbox does not have.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stratlab.contract.surface import contract_surface
from stratlab.domain.errors import EngineError
from stratlab.domain.market import DataSet
from stratlab.domain.trusted_jobs import TrustedJobs
from stratlab_runner.class_style import CLASS_METHODS, CLASS_SUFFIX

SURFACE_MODULE = "stratlab_runner.describe_surface"
"""The trusted job that writes down what an image holds."""

_SURFACE_FILE = "surface.json"
_FOLDER = "surfaces"


def build_catalogue(
    data_sets: Iterable[DataSet], sandbox: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the whole catalogue as JSON types.

    Args:
        data_sets: Those that exist.
        sandbox: From :func:`sandbox_surface`, None to leave zipline out.
    """
    return {
        "data_sets": [_data_set(each) for each in data_sets],
        "contract": contract_surface(),
        "class_style": {"suffix": CLASS_SUFFIX, "methods": list(CLASS_METHODS)},
        "sandbox": sandbox,
    }


def sandbox_surface(home: Path, jobs: TrustedJobs) -> dict[str, Any]:
    """Return what the sandbox image holds; asked of it once, then kept in the home by image id.

    Args:
        home: Home directory, where the engine can see it.
        jobs: Runs the trusted job.

    Raises:
        EngineUnavailableError: No engine answers.
        SandboxNotReadyError: The image is missing.
        EngineError: The job failed, or wrote something else.
    """
    folder = home / _FOLDER
    kept = folder / f"{jobs.image_id().rpartition(':')[2]}.json"
    if not kept.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder, prefix="."))
        try:
            jobs.run(SURFACE_MODULE, read={}, write={"/output": staging})
            _read(staging / _SURFACE_FILE)
            (staging / _SURFACE_FILE).replace(kept)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        for older in folder.glob("*.json"):
            if older != kept:
                older.unlink(missing_ok=True)
    return _read(kept)


def prompt_text(catalogue: Mapping[str, Any]) -> str:
    """Return a catalogue as text for a prompt."""
    sections = [
        ("Data sets", _data_lines(catalogue["data_sets"])),
        *_contract_sections(catalogue["contract"]),
    ]
    if catalogue["sandbox"] is not None:
        sections += _sandbox_sections(catalogue["sandbox"], catalogue["class_style"])
    return "\n\n".join("\n".join([f"## {title}", *lines]) for title, lines in sections) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        message = f"the description of the sandbox image cannot be read: {error}"
        raise EngineError(message, hint=f"Remove {path} and try again.") from None
    if not isinstance(found, dict):
        raise EngineError(f"{path} is no description of an image", hint="Remove it.")
    return found


def _data_set(data_set: DataSet) -> dict[str, Any]:
    return {
        "name": data_set.name,
        "symbols": list(data_set.symbols),
        "timeframe": data_set.timeframe,
        "calendar": data_set.calendar,
        "warm_up_start": data_set.warm_up_start.isoformat(),
        # Ranges of later tiers say how much is held back, not what is in it.
        "tiers": {
            tier.value: [span.start.isoformat(), span.end.isoformat()]
            for tier, span in data_set.tiers.items()
        },
        "caveats": list(data_set.caveats),
    }


def _data_lines(data_sets: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for each in data_sets:
        start, end = each["tiers"].get("train", ["", ""])
        lines.append(
            f"- {each['name']}: {', '.join(each['symbols'])}; bars of {each['timeframe']}, "
            f"calendar {each['calendar']}, prices from {each['warm_up_start']}, "
            f"traded in training {start} to {end}"
        )
        lines += [f"  - {caveat}" for caveat in each["caveats"]]
    return lines or ["None yet."]


def _contract_sections(contract: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield (
        "Contract: fields",
        [
            line
            for part in contract["parts"]
            for line in (
                f"{part['name']}: {part['meaning']}",
                *(
                    f"- {field['name']}: {field['type']}; {field['default']}; {field['meaning']}"
                    for field in part["fields"]
                ),
            )
        ],
    )
    yield (
        "Contract: rule language",
        [
            f"Prices: {', '.join(contract['prices'])}.",
            *(
                f"- {each['name']} ({each['in']} only): {each['meaning']}"
                for each in contract["position"]
            ),
            *(
                f"- {each['name']}({each['arguments']}) -> {each['type']}: {each['meaning']}"
                for each in contract["functions"]
            ),
        ],
    )
    yield "Contract: indicators", [_indicator_line(each) for each in contract["indicators"]]
    limits = contract["limits"].items()
    yield "Contract: limits", [f"- at most {most} {what}" for what, most in limits]


def _indicator_line(indicator: Mapping[str, Any]) -> str:
    parameters = ", ".join(
        f"{name} {'whole ' if limits['whole'] else ''}{limits['min']:g}..{limits['max']:g}"
        for name, limits in indicator["parameters"].items()
    )
    outputs = f"; outputs {', '.join(indicator['outputs'])}" if indicator["outputs"] else ""
    return (
        f"- {indicator['name']}({parameters}) of {' or '.join(indicator['sources'])}: "
        f"{indicator['meaning']}{outputs}"
    )


def _sandbox_sections(
    sandbox: Mapping[str, Any], class_style: Mapping[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    modules = [f"{name} {version}" for name, version in sandbox["modules"].items()]
    methods = ", ".join(class_style["methods"])
    yield "Python source: modules that may be imported", [", ".join(modules)]
    yield (
        "Python source: functions and context",
        [
            f"zipline calls: {', '.join(sandbox['entry_points'])}.",
            f"Or one class named ...{class_style['suffix']} with {methods}.",
            f"Set on context: {', '.join(sandbox['context'])}.",
        ],
    )
    for title, group in (("zipline", sandbox["zipline"]), ("lab", sandbox["lab"])):
        for name, entries in group.items():
            yield f"Python source: {title} {name}", [_entry_line(each) for each in entries]
    for name, entries in sandbox["pipeline"].items():
        lines = [each if isinstance(each, str) else _term_line(each) for each in entries]
        yield f"Python source: pipeline {name}", [f"- {line}" for line in lines]


def _entry_line(entry: Mapping[str, Any]) -> str:
    return f"- {entry['name']}{entry['signature']}: {entry['summary']}"


def _term_line(term: Mapping[str, Any]) -> str:
    told = [
        f"{word} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for word, value in (
            ("inputs", term.get("inputs")),
            ("window_length", term.get("window_length")),
            ("params", term.get("params")),
            ("outputs", term.get("outputs")),
        )
        if value
    ]
    behind = f" ({'; '.join(told)})" if told else ""
    return f"{term['name']}: {term['summary']}{behind}"
