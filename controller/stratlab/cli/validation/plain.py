"""A validation as JSON, and as a table for people."""

import json
from dataclasses import asdict
from io import StringIO
from typing import Any

from stratlab.cli.output import clean, error_record
from stratlab.cli.validation.report import ValidationReport

_WIDTH = 160


def to_record(report: ValidationReport) -> dict[str, Any]:
    """Return the JSON object: whether all passed, all findings, then file by file, then counts."""
    return {
        "passed": report.passed,
        "findings": [{"path": file.name, **asdict(finding)} for file, finding in report.findings],
        "files": [
            {
                "path": file.name,
                "passed": file.passed,
                "error": error_record(file.problem) if file.problem else None,
            }
            for file in report.files
        ],
        "summary": report.counts,
    }


def to_json(report: ValidationReport) -> str:
    """Return the JSON object as one line."""
    return json.dumps(to_record(report), allow_nan=False) + "\n"


def to_table(report: ValidationReport) -> str:
    """Return the findings as a table, "" when there are none."""
    # keeps start-up fast: only people need it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    if not any(file.screening.findings for file in report.files):
        return ""
    several = len(report.files) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("file", "line") if several else ("line",):
        table.add_column(title, overflow="fold")
    for title in ("severity", "layer", "rule", "finding", "what to do"):
        table.add_column(title, overflow="fold")
    for file, finding in report.findings:
        table.add_row(
            *((clean(file.name),) if several else ()),
            str(finding.line or ""),
            finding.severity.value,
            str(finding.layer),
            finding.rule,
            clean(finding.message),
            clean(finding.hint),
        )
    text = StringIO()
    Console(file=text, markup=False, highlight=False, width=_WIDTH).print(table)
    return text.getvalue()
