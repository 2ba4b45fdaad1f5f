"""Tries again what was nobody's fault, and says so when it goes on; refuses bad batches first."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, final

import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from stratlab.domain.errors import (
    EngineUnavailableError,
    InfrastructureError,
    InvalidSourceError,
    InvalidSpecError,
    PermissionDeniedError,
    SandboxNotReadyError,
)
from stratlab.domain.market import Tier
from stratlab.domain.trial import (
    Outcome,
    SandboxIdentity,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.sandbox.containers import Site
from stratlab.sandbox.dealer import Dealer
from stratlab.sandbox.member import MemberReport
from stratlab.sandbox.readiness import Readiness

_log = structlog.get_logger(__name__)

TRIES: Final = 3
MAX_SOURCE_BYTES: Final = 1 << 20
"""What fits into a frame with room to spare; screening allows less."""


@final
class Attempts:
    """Gets claims out of containers that may fail.

    Args:
        dealer: Whose containers wait under a proof.
        readiness: The proofs.
        seccomp_digest: Of the profile of members.
        engine_seconds: An engine that hangs longer is not asked three times.
    """

    def __init__(
        self, dealer: Dealer, readiness: Readiness, seccomp_digest: str, engine_seconds: float
    ) -> None:
        self._dealer = dealer
        self._readiness = readiness
        self._seccomp_digest = seccomp_digest
        self._engine_seconds = engine_seconds

    async def some_claims(
        self,
        deal: Callable[[], Awaitable[MemberReport]],
        site: Site,
        batch: TrialBatch,
        pending: Sequence[TrialSpec],
    ) -> MemberReport:
        """Return at least one claim, from the first member that gets that far, or fewer suspects.

        Args:
            deal: Runs ``pending`` in a new container.
            site: What that is made from.
            batch: Where the trials come from.
            pending: At least one.

        Raises:
            SandboxNotReadyError: The image is gone.
            EngineUnavailableError: No engine answers.
        """
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(TRIES) | stop_after_delay(self._engine_seconds),
                wait=wait_random_exponential(multiplier=0.2, max=3.0),
                retry=retry_if_exception_type((InfrastructureError, EngineUnavailableError)),
                reraise=True,
            ):
                with attempt:
                    report = await deal()
                    if report.lost:
                        campaign_id = batch.campaign_id
                        _log.warning("trial lost", campaign=campaign_id, reason=report.lost)
                    if not report.claims and not report.suspects:
                        raise _TrialLostError(  # noqa: TRY301 - for the retrying around it
                            report.lost or "the container returned nothing"
                        )
                    return report
        except _TrialLostError as error:
            return MemberReport((self._infrastructure(site, pending[0], error.message),))
        except InfrastructureError as error:
            return MemberReport(
                tuple(self._infrastructure(site, trial, error.message) for trial in pending)
            )
        except SandboxNotReadyError:
            self._dealer.drain()
            self._readiness.invalidate(batch.runtime)
            raise
        except EngineUnavailableError:
            self.forget_proofs()
            raise
        raise AssertionError("unreachable: tenacity returns or raises")

    def forget_proofs(self) -> None:
        """Let go of what was made under proofs that hold no longer."""
        self._dealer.drain()
        self._readiness.invalidate_all()

    def _infrastructure(self, site: Site, trial: TrialSpec, reason: str) -> TrialClaim:
        return TrialClaim(
            trial_id=trial.trial_id,
            outcome=Outcome.INFRASTRUCTURE,
            reason=f"{reason} ({TRIES} tries)",
            sandbox=SandboxIdentity(
                image_id=site.image_id,
                runtime=site.runtime,
                seccomp_digest=self._seccomp_digest,
            ),
        )


def check_batch(batch: TrialBatch) -> None:
    """Refuse what no container can run.

    Raises:
        InvalidSpecError: The trials do not share one tier, world and data set, or two of them
            have the same id.
        InvalidSourceError: The source cannot be sent.
    """
    if len({(each.market.data_set, each.window.tier, each.world) for each in batch.trials}) > 1:
        raise InvalidSpecError("the trials of one batch must share one data set, tier and world")
    if len({trial.trial_id for trial in batch.trials}) < len(batch.trials):
        raise InvalidSpecError("the trials of one batch must have different ids")
    try:
        size = len(batch.source.encode())
    except UnicodeEncodeError as error:
        raise InvalidSourceError("the source is not Unicode text") from error
    if size > MAX_SOURCE_BYTES:
        raise InvalidSourceError(f"the source has {size} bytes")


def refuse_holdout(batch: TrialBatch) -> None:
    """Refuse to mount the holdout for a campaign: it is replayed sealed or not at all.

    What is run for nobody's campaign is left to whoever asks for it.

    Raises:
        PermissionDeniedError: A trial of a campaign has a window in the holdout.
    """
    for trial in batch.trials:
        if trial.window.tier is Tier.HOLDOUT and trial.purpose is not TrialPurpose.ADHOC:
            raise PermissionDeniedError(
                f"trial {trial.trial_id} would mount the holdout, which is sealed",
                hint="Open it with `stratlab campaign open-holdout`.",
            )


class _TrialLostError(InfrastructureError):
    # The first of the pending trials did not get to its end, for no fault of its own.
    pass
