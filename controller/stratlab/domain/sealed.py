"""Sealed replay: backtests in containers that hold no price of the future."""

from typing import Protocol

from stratlab.domain.ports import ProgressListener
from stratlab.domain.trial import TrialBatch, TrialClaim


class SealedSandbox(Protocol):
    """Runs trials whose market is revealed bar by bar; what implements ``Sandbox`` has it too."""

    async def run_sealed(
        self, batch: TrialBatch, on_progress: ProgressListener
    ) -> list[TrialClaim]:
        """Run all trials of ``batch`` and return one claim each, in their order.

        Every trial has a container of its own, which mounts no data: it starts with the bars
        before the trial's window, and gets the next bar only once it has committed its orders of
        the last one. Orders and cancels of the claims are stamped by the controller, with the
        last bar that it had revealed. Settle the claims as those of ``Sandbox.run``: for an
        honest strategy they are the same.

        A failing strategy is an outcome, never an exception; whoever breaks the order of commits
        and reveals ends as PROTOCOL_VIOLATION. Cancelling the task that awaits this kills the
        container before the cancellation is delivered.

        Args:
            batch: What to run; windows may lie in any tier, the holdout included.
            on_progress: Told of every sign of life.

        Raises:
            SandboxNotReadyError: Image missing or a limit unproven.
            EngineUnavailableError: No engine answers.
            InvalidSpecError: The data set is intraday, which cannot be replayed sealed; or the
                trials do not share one tier and data set.
            DataSetNotFoundError: No such data set.
        """
        ...
