"""A validation as SARIF 2.1.0, as code hosts and editors read it.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from stratlab.cli.output import clean
from stratlab.cli.validation.report import FileReport, ValidationReport
from stratlab.domain.strategy import Finding
from stratlab.screening.rule import Rule
from stratlab.screening.rules import RULES

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_INDEX: Final = {rule.id: number for number, rule in enumerate(RULES)}


def to_sarif(report: ValidationReport) -> str:
    """Return the document: one run, all rules, a result for each finding.

    Paths below the current directory are relative to it, as code hosts expect of a checkout.
    A file that could not be read is a notification, and the run was not successful.
    """
    notifications = [_notification(file) for file in report.files if file.problem is not None]
    run = {
        "tool": {
            "driver": {
                "name": "stratlab",
                "version": version("stratlab"),
                "semanticVersion": version("stratlab"),
                "rules": [_rule(rule) for rule in RULES],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not notifications,
                "exitCode": int(report.exit_code),
                "toolExecutionNotifications": notifications,
            }
        ],
        "artifacts": [{"location": _location(file.path)} for file in report.files],
        "results": [
            _result(file, number, finding)
            for number, file in enumerate(report.files)
            for finding in file.screening.findings
        ],
        "columnKind": "unicodeCodePoints",
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("_")),
        "shortDescription": {"text": rule.rationale},
        "help": {"text": rule.hint},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {"tags": [str(rule.layer)]},
    }


def _result(file: FileReport, number: int, finding: Finding) -> dict[str, Any]:
    # A finding about the whole file stands at its first line: code hosts want a place.
    region = {"startLine": max(finding.line, 1)}
    if finding.line and finding.column:
        region["startColumn"] = finding.column
    place = {"artifactLocation": {**_location(file.path), "index": number}, "region": region}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": finding.severity.value,
        "message": {"text": f"{clean(finding.message)}. {clean(finding.hint)}"},
        "locations": [{"physicalLocation": place}],
        "properties": {"layer": str(finding.layer)},
    }
    if finding.rule in _INDEX:
        result["ruleIndex"] = _INDEX[finding.rule]
    return result


def _notification(file: FileReport) -> dict[str, Any]:
    assert file.problem is not None, "only of files that could not be read"
    return {
        "level": "error",
        "message": {"text": f"{clean(file.problem.message)}. {clean(file.problem.hint)}"},
        "descriptor": {"id": file.problem.reason},
        "locations": [{"physicalLocation": {"artifactLocation": _location(file.path)}}],
    }


def _location(path: Path) -> dict[str, str]:
    here = Path.cwd()
    # Not resolved: links in a checkout keep the names that the checkout has.
    absolute = Path(os.path.normpath(here / path))
    if absolute.is_relative_to(here):
        return {"uri": _quoted(absolute.relative_to(here)), "uriBaseId": _ROOT}
    return {"uri": f"file://{_quoted(absolute)}"}


def _quoted(path: Path) -> str:
    # The bytes of the name, whatever they are.
    return quote(os.fsencode(path.as_posix()))
