"""A validation as workflow commands of GitHub Actions, which shows them beside the lines.

Source: GitHub, "Workflow commands for GitHub Actions", setting an error or warning message.
"""

from stratlab.cli.output import clean
from stratlab.cli.validation.report import ValidationReport

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {":": "%3A", ",": "%2C"}


def to_github(report: ValidationReport) -> str:
    """Return one line for each finding and for each file that could not be read."""
    lines = []
    for file in report.files:
        if file.problem is not None:
            text = f"{file.problem.message}. {file.problem.hint}"
            lines.append(_command("error", text, file=clean(file.name), title=file.problem.reason))
        for finding in file.screening.findings:
            place = {"line": finding.line, "col": finding.column}
            lines.append(
                _command(
                    finding.severity.value,
                    f"{finding.message}. {finding.hint}",
                    file=clean(file.name),
                    **{name: value for name, value in place.items() if value},
                    title=finding.rule,
                )
            )
    return "".join(f"{line}\n" for line in lines)


def _command(level: str, message: str, **properties: object) -> str:
    shown = ",".join(f"{name}={_escaped(value, _PROPERTY)}" for name, value in properties.items())
    return f"::{level} {shown}::{_escaped(clean(message), _DATA)}"


def _escaped(value: object, table: dict[str, str]) -> str:
    return "".join(table.get(c, c) for c in str(value))
