"""The work of one sealed container: a trial that must keep to the order of commits and reveals."""

import asyncio
from dataclasses import replace
from typing import final

from stratlab.domain.ports import ProgressListener
from stratlab.domain.trial import Outcome, TrialBatch, TrialSpec
from stratlab.sandbox.containers import Workplace
from stratlab.sandbox.entries import FrameViolationError
from stratlab.sandbox.member import Member, MemberReport
from stratlab.sandbox.sealed_feeder import Feeder
from stratlab.sandbox.warm_member import WarmMember


@final
class SealedMember:
    """What a warm container does for one trial; :meth:`run` once.

    Args:
        workplace: Engine, leases and the rest.
        warm: The container; its owner closes it.
        feeder: What reveals the market to it.
        batch: Where the source comes from.
        on_progress: Called on the event loop with every sign of life.
        waited_seconds: How long the batch waited for the container.
    """

    def __init__(
        self,
        workplace: Workplace,
        warm: WarmMember,
        feeder: Feeder,
        batch: TrialBatch,
        on_progress: ProgressListener,
        waited_seconds: float,
    ) -> None:
        self._member = Member(workplace, warm, batch, on_progress, waited_seconds)
        self._warm = warm
        self._feeder = feeder

    async def run(self, trial: TrialSpec) -> MemberReport:
        """Run ``trial`` until it has ended, or breaks the rules of its feed.

        Raises:
            EngineError, EngineUnavailableError: The engine does not say how the container ended.
        """
        self._feeder.serve(self._warm.frames, trial.trial_id)
        work = asyncio.create_task(self._member.run([trial]))
        violation = asyncio.create_task(self._feeder.violation())
        try:
            await asyncio.wait({work, violation}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                broken = violation.result()
                return MemberReport((self._member.verdict(trial, broken.outcome, broken.reason),))
            return self._judged(work.result(), violation.result() if violation.done() else None)
        finally:
            work.cancel()
            violation.cancel()
            await asyncio.gather(work, violation, return_exceptions=True)

    def _judged(self, report: MemberReport, broken: FrameViolationError | None) -> MemberReport:
        # Without the orders of its last bar a trial has not succeeded, whatever it says.
        reason = "the trial ended before the orders of its last bar were committed"
        if broken is not None:
            reason = broken.reason
        elif self._feeder.is_complete:
            return report
        claims = [
            replace(claim, outcome=Outcome.PROTOCOL_VIOLATION, reason=reason)
            if claim.outcome is Outcome.SUCCEEDED
            else claim
            for claim in report.claims
        ]
        return replace(report, claims=tuple(claims))
