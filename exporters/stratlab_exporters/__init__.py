"""Exports candidates to the languages and platforms that people trade with."""

from stratlab_exporters.base import Diagnostic, Exporter, ExportRequest, ExportResult
from stratlab_exporters.registry import export_candidate, get_exporter, load_exporters

__all__ = [
    "Diagnostic",
    "ExportRequest",
    "ExportResult",
    "Exporter",
    "export_candidate",
    "get_exporter",
    "load_exporters",
]
