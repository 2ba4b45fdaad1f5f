"""What came of judging files: per file, in all, and as an exit code."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.strategy import Finding, ScreeningReport, Severity


@final
@dataclass(frozen=True, slots=True)
class FileReport:
    """What came of one file.

    Attributes:
        path: As it was typed or found.
        screening: What was found, empty when the file could not be read.
        problem: Why it could not be read, None otherwise.
    """

    path: Path
    screening: ScreeningReport = field(default_factory=ScreeningReport)
    problem: InvalidInputError | None = None

    @property
    def name(self) -> str:
        """The path as text for people and machines; bytes that are no UTF-8 are escaped."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @property
    def passed(self) -> bool:
        """Whether it was read and nothing found is an error."""
        return self.problem is None and self.screening.passed


@final
@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What came of all files.

    Attributes:
        files: In the order in which they were found.
        strict: Whether warnings count.
    """

    files: tuple[FileReport, ...]
    strict: bool = False

    @property
    def passed(self) -> bool:
        """Whether every file passed."""
        return all(file.passed for file in self.files)

    @property
    def findings(self) -> Iterator[tuple[FileReport, Finding]]:
        """Every finding with its file, in order."""
        return ((file, finding) for file in self.files for finding in file.screening.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of files, of those that passed, were rejected or not read, and of findings."""
        unread = sum(file.problem is not None for file in self.files)
        passed = sum(file.passed for file in self.files)
        severities = [finding.severity for _, finding in self.findings]
        return {
            "files": len(self.files),
            "passed": passed,
            "rejected": len(self.files) - passed - unread,
            "not_read": unread,
            "errors": severities.count(Severity.ERROR),
            "warnings": severities.count(Severity.WARNING),
        }

    @property
    def exit_code(self) -> ExitCode:
        """The code of the one table; the first of 2, 1 and 3 that applies."""
        counts = self.counts
        if counts["not_read"]:
            return ExitCode.USAGE
        if counts["rejected"]:
            return ExitCode.STRATEGY
        return ExitCode.WARNINGS if self.strict and counts["warnings"] else ExitCode.OK

    @property
    def summary(self) -> str:
        """All of it in one line."""
        counts = self.counts
        word = "passed" if self.passed else "rejected" if counts["rejected"] else "not judged"
        parts = [_of(counts["files"], "file")]
        if len(self.files) > 1:
            parts += [f"{counts['passed']} passed", f"{counts['rejected']} rejected"]
        if counts["not_read"]:
            parts.append(f"{counts['not_read']} could not be read")
        parts += [_of(counts["errors"], "error"), _of(counts["warnings"], "warning")]
        return f"{word}: {', '.join(parts)}"


def fails(file: FileReport, *, strict: bool) -> bool:
    """Return whether a file that was read makes a check fail."""
    return not file.passed or (strict and bool(file.screening.findings))


def _of(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
