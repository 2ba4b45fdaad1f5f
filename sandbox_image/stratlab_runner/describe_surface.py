"""Trusted job: writes down what a strategy finds in this image, for people and for prompts.

Run as ``python -P -m stratlab_runner.describe_surface`` by the controller; writes
``/output/surface.json``. Everything is asked of the installed packages, nothing is listed here
but where to look.
"""

import inspect
import json
import platform
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

import zipline.api
from zipline._protocol import BarData
from zipline.finance import execution
from zipline.pipeline import classifiers, factors, filters
from zipline.pipeline.data import USEquityPricing
from zipline.pipeline.mixins import CustomTermMixin, LatestMixin
from zipline.pipeline.sentinels import NotSpecified
from zipline.pipeline.term import ComputableTerm

from stratlab_runner import contract, lab
from stratlab_runner.simulation import TrialAlgorithm

OUTPUT: Final = Path("/output")
FILE_NAME: Final = "surface.json"

_EVENTS = "zipline.pipeline.factors.events"  # they need a data set of events, and there is none


def describe() -> dict[str, Any]:
    """Return the surface as JSON types.

    Raises:
        ImportError: A module of the allow-list is not in the image.
    """
    return {
        "runner": contract.RUNNER_VERSION,
        "python": platform.python_version(),
        "modules": {name: module_version(name) for name in sorted(contract.ALLOWED_MODULES)},
        "entry_points": [*contract.REQUIRED_FUNCTIONS, *contract.OPTIONAL_FUNCTIONS],
        "context": list(contract.CONTEXT_ATTRIBUTES),
        "zipline": {
            "functions": [entry(name, zipline.api) for name in callable_names()],
            "data": [entry(name, BarData) for name in _public(BarData)],
            "date_rules": [
                entry(name, zipline.api.date_rules) for name in _public(zipline.api.date_rules)
            ],
            "time_rules": [
                entry(name, zipline.api.time_rules) for name in _public(zipline.api.time_rules)
            ],
            "execution": [
                entry(name, execution) for name in _public(execution) if name.endswith("Order")
            ],
        },
        "pipeline": {
            "columns": sorted(
                column.name for column in USEquityPricing.columns if column.dtype == float
            ),
            "factors": terms(factors),
            "filters": terms(filters),
            "classifiers": terms(classifiers),
        },
        "lab": {
            "functions": [entry(name, lab) for name in sorted(contract.LAB_NAMES)],
            "risk": [entry(name, lab.risk) for name in sorted(contract.RISK_NAMES)],
            "bracket": [entry(name, lab.Bracket) for name in sorted(contract.BRACKET_ATTRIBUTES)],
        },
    }


def module_version(name: str) -> str:
    """Return the version of an allowed module: its package's, or Python's own.

    Raises:
        ImportError: The image does not have it.
    """
    import_module(name)
    top = name.partition(".")[0]
    if top == "stratlab_runner":
        return contract.RUNNER_VERSION
    if top in sys.stdlib_module_names:
        return platform.python_version()
    return version(packages_distributions()[top][0])


def callable_names() -> list[str]:
    """Return the functions of ``zipline.api`` that the sandbox does not refuse."""
    published = {*zipline.api.__all__, *_public(zipline.api)}
    return sorted(
        name
        for name in published
        if inspect.isroutine(getattr(zipline.api, name)) and not is_refused(name)
    )


def is_refused(name: str) -> bool:
    """Return whether the runner's algorithm takes a call only to refuse it."""
    method = vars(TrialAlgorithm).get(name)
    return method is not None and inspect.get_annotations(method).get("return") is NoReturn


def terms(module: ModuleType) -> list[dict[str, Any]]:
    """Return the terms of a pipeline module that a strategy can make of prices.

    Args:
        module: ``zipline.pipeline.factors``, ``.filters`` or ``.classifiers``.
    """
    found = []
    for name in sorted(module.__all__):
        term = getattr(module, name)
        if not inspect.isclass(term):
            found.append(entry(name, module))
        elif is_usable(term):
            found.append(
                {
                    **entry(name, module),
                    "inputs": [
                        getattr(source, "name", type(source).__name__)
                        for source in _given(term.inputs)
                    ],
                    "window_length": next(iter(_given(term.window_length, many=False)), None),
                    "outputs": list(_given(getattr(term, "outputs", ()))),
                    "params": list(_given(term.params)),
                }
            )
    return found


def is_usable(term: type[Any]) -> bool:
    """Return whether a class is a term by itself: no base, no result of an expression."""
    if not issubclass(term, ComputableTerm) or term.__module__ == _EVENTS:
        return False
    # What expressions make (a comparison, a quantile) is reached through them.
    is_computed = issubclass(term, CustomTermMixin) and not issubclass(term, LatestMixin)
    return is_computed or term.inputs == ()


def entry(name: str, owner: Any) -> dict[str, Any]:
    """Return name, signature ("" where it has none) and first sentence of what it says of itself.

    Args:
        name: Attribute of the owner.
        owner: Module or class.
    """
    value = getattr(owner, name)
    return {"name": name, "signature": _signature(value), "summary": _summary(value)}


def _signature(value: Any) -> str:
    if not callable(value):
        return ""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    plain = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return str(plain)


def _summary(value: Any) -> str:
    paragraph = (inspect.getdoc(value) or "").strip().split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def _public(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def _given(values: Any, *, many: bool = True) -> Iterable[Any]:
    if values is NotSpecified:
        return ()
    return values if many else (values,)


def main() -> None:
    """Write the surface."""
    text = json.dumps(describe(), indent=1, sort_keys=True)
    (OUTPUT / FILE_NAME).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
