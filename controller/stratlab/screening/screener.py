"""Implements the ``Screener`` port with one short-lived process per source."""

import json
import subprocess
import sys
from typing import final

from stratlab.domain.strategy import Finding, ScreeningReport, Severity
from stratlab_runner import contract

TIMEOUT_SECONDS = 15.0


@final
class SubprocessScreener:
    """Screens in a process of its own; never raises on any text."""

    def screen(self, source: str) -> ScreeningReport:
        """Return the findings of all layers that ran."""
        content = source.encode("utf-8", "replace")
        # What is far too large is not even handed over; the static layer explains it.
        content = content[: contract.MAX_SOURCE_BYTES + 1]
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "stratlab.screening.worker"],
                input=content,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _unscreenable("screening took too long")
        if done.returncode != 0:
            return _unscreenable(f"screening ended with code {done.returncode}")
        return ScreeningReport(tuple(_finding(record) for record in json.loads(done.stdout)))


def _finding(record: dict[str, str | int]) -> Finding:
    return Finding(
        layer=str(record["layer"]),
        rule=str(record["rule"]),
        severity=Severity(str(record["severity"])),
        line=int(record["line"]),
        column=int(record["column"]),
        message=str(record["message"]),
        hint=str(record["hint"]),
    )


def _unscreenable(message: str) -> ScreeningReport:
    return ScreeningReport(
        (Finding("static", "unscreenable", Severity.ERROR, 0, 0, message, "Simplify the source."),)
    )
