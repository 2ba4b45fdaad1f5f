"""A validation as JUnit XML, as CI servers read it: a test case for each file."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from stratlab.cli.output import clean
from stratlab.cli.validation.report import FileReport, ValidationReport, fails
from stratlab.domain.strategy import Finding

_SUITE = "stratlab validate"


def to_junit(report: ValidationReport) -> str:
    """Return the document.

    A rejected file is a failure, with warnings it is one under ``strict`` only; a file that could
    not be read is an error. Warnings of files that pass are their output.
    """
    failed = sum(_is_failure(file, strict=report.strict) for file in report.files)
    unread = report.counts["not_read"]
    numbers = {"tests": str(len(report.files)), "failures": str(failed), "errors": str(unread)}
    root = ET.Element("testsuites", {"name": _SUITE, **numbers})
    suite = ET.SubElement(root, "testsuite", {"name": _SUITE, **numbers, "skipped": "0"})
    for file in report.files:
        _add(suite, file, strict=report.strict)
    ET.indent(root)
    # Only characters that XML 1.0 can hold: `clean` leaves no others but lone surrogates.
    text = ET.tostring(root, encoding="unicode").encode("utf-8", "backslashreplace").decode()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _is_failure(file: FileReport, *, strict: bool) -> bool:
    return file.problem is None and fails(file, strict=strict)


def _add(suite: ET.Element, file: FileReport, *, strict: bool) -> None:
    name = clean(file.name)
    case = ET.SubElement(
        suite, "testcase", {"classname": clean(str(file.path.parent)), "name": name, "file": name}
    )
    findings = file.screening.findings
    if file.problem is not None:
        attributes = {"message": clean(file.problem.message), "type": file.problem.reason}
        ET.SubElement(case, "error", attributes).text = clean(file.problem.hint)
    elif fails(file, strict=strict):
        first = next((f for f in findings if f.severity == "error"), findings[0])
        attributes = {"message": clean(first.message), "type": first.rule}
        ET.SubElement(case, "failure", attributes).text = _lines(name, findings)
    elif findings:
        ET.SubElement(case, "system-out").text = _lines(name, findings)


def _lines(name: str, findings: Iterable[Finding]) -> str:
    return "\n".join(
        f"{name}:{finding.line}:{finding.column}: {finding.severity}: {finding.rule}: "
        f"{clean(finding.message)}. {clean(finding.hint)}"
        for finding in findings
    )
