"""Finds exporters: every installed package may add targets by an entry point."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import cast

from stratlab.domain.errors import NotFoundError
from stratlab_exporters.base import Exporter, ExportRequest, ExportResult

ENTRY_POINT_GROUP = "stratlab.exporters"


def load_exporters() -> Mapping[str, Exporter]:
    """Return one instance of every installed exporter by target, sorted.

    Raises:
        ValueError: Two packages claim one target.
    """
    found: dict[str, Exporter] = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        exporter = cast("Exporter", entry.load()())
        if exporter.target in found:
            message = f"two exporters claim the target {exporter.target!r}"
            raise ValueError(message)
        found[exporter.target] = exporter
    return dict(sorted(found.items()))


def get_exporter(target: str) -> Exporter:
    """Return the exporter of a target.

    Raises:
        NotFoundError: No installed package exports to it.
    """
    exporters = load_exporters()
    if target not in exporters:
        raise NotFoundError(
            f"unknown export target {target!r}; known: {', '.join(exporters) or 'none'}",
            hint="Choose one of the known targets, or install a package that adds it.",
        )
    return exporters[target]


def export_candidate(request: ExportRequest) -> Mapping[str, ExportResult]:
    """Return the result of every target."""
    return {target: exporter.export(request) for target, exporter in load_exporters().items()}
