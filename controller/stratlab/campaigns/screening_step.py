"""What screening means to a campaign: its event, what the smoke run adds, when a human is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.campaign import Iteration
from stratlab.domain.events import EventKind
from stratlab.domain.search import ReviewMode
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import TrialPurpose, TrialResult
from stratlab.screening.smoke import check_run

StepEvent = tuple[EventKind, Mapping[str, object]]

MAX_RECORDED_FINDINGS = 100
"""Findings in one event; the iteration has them all."""


def screened_event(iteration: Iteration, report: ScreeningReport) -> StepEvent:
    """Return the event of a candidate that was screened.

    Args:
        iteration: Whose candidate it is.
        report: What was found just now; the smoke run's findings have an event of their own.
    """
    findings = [
        {
            "layer": finding.layer,
            "rule": finding.rule,
            "severity": finding.severity.value,
            "line": finding.line,
        }
        for finding in report.findings[:MAX_RECORDED_FINDINGS]
    ]
    return (
        EventKind.CANDIDATE_SCREENED,
        {
            "iteration": iteration.number,
            "candidate": iteration.candidate.hash if iteration.candidate else "",
            "passed": report.passed,
            "rules": [finding["rule"] for finding in findings],
            "findings": findings,
        },
    )


def joined(known: ScreeningReport, news: ScreeningReport) -> ScreeningReport:
    """Return two reports on one candidate as one."""
    return ScreeningReport((*known.findings, *news.findings), (*known.layers, *news.layers))


@final
@dataclass(frozen=True, slots=True)
class SmokeGate:
    """Decides from the smoke run of a candidate whether its other trials are run.

    Attributes:
        known: What screening found so far; a finding in it was reviewed, if it had to be.
        review: Whether warnings need an approval.
    """

    known: ScreeningReport
    review: ReviewMode

    def opens(self, smoke: TrialResult) -> bool:
        """Return whether the trials behind a smoke run may begin."""
        if smoke.outcome.is_retried:
            return False
        found = self.news([smoke])
        return found.passed and not (found.findings and self.review is ReviewMode.REQUIRED)

    def news(self, results: Sequence[TrialResult]) -> ScreeningReport:
        """Return what the smoke run among an iteration's results adds to what is known."""
        smoke = next((r for r in results if r.spec.purpose is TrialPurpose.SMOKE), None)
        if smoke is None:
            return ScreeningReport()
        report = check_run(smoke)
        ran = {run.layer for run in self.known.layers}
        return ScreeningReport(
            tuple(finding for finding in report.findings if finding not in self.known.findings),
            tuple(run for run in report.layers if run.layer not in ran),
        )
