"""The port ``Sandbox``: runs batches to their end, and tries again what was nobody's fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Self, final

import structlog

from stratlab.domain.errors import (
    EngineUnavailableError,
    InfrastructureError,
    StratlabError,
)
from stratlab.domain.flag import Flag
from stratlab.domain.market import Tier
from stratlab.domain.ports import Clock, FirstJudge, Leases, MarketData, ProgressListener
from stratlab.domain.trial import (
    TrialBatch,
    TrialClaim,
    TrialPurpose,
)
from stratlab.sandbox.attempts import Attempts, check_batch, refuse_holdout
from stratlab.sandbox.cgroups import MemberCgroups, mounted_version
from stratlab.sandbox.containers import Site, Workplace, data_stamp
from stratlab.sandbox.dealer import Dealer
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.host_paths import HostPaths
from stratlab.sandbox.identity import controller_id, installation_id, socket_root
from stratlab.sandbox.opaque_names import OpaqueNames
from stratlab.sandbox.policy import HostTraits, check_limits
from stratlab.sandbox.pool_stats import PoolStats
from stratlab.sandbox.readiness import Proof, Readiness
from stratlab.sandbox.reaper import Reaper
from stratlab.sandbox.sealed_runs import SealedRuns
from stratlab.sandbox.seccomp import load_seccomp_profile
from stratlab.sandbox.sockets import make_socket_root
from stratlab.sandbox.threads import Threads
from stratlab.settings import SandboxSettings

_log = structlog.get_logger(__name__)

DATA_FOLDER: Final = "data"
"""Folder of all data sets below the home directory, as ``market_data`` has it."""
_PROVE_AGAIN_SECONDS: Final = 5.0


@final
class DockerSandbox:
    """Runs batches of trials in single-use containers.

    Args:
        settings: Section of the settings.
        home: Home directory; its installation id marks our containers.
        engine: Docker engine.
        leases: Persistent record of containers.
        market_data: Where the tiers of data sets lie.
        clock: Time.
        alone: Whether no other controller of this home directory can run.
    """

    def __init__(
        self,
        *,
        settings: SandboxSettings,
        home: Path,
        engine: DockerEngine,
        leases: Leases,
        market_data: MarketData,
        clock: Clock,
        alone: bool = False,
    ) -> None:
        installation = installation_id(home)
        paths = HostPaths.of(home, settings.host_home)
        controller = controller_id()
        sockets = paths.socket_parent()
        self._settings = settings
        self._market_data = market_data
        self._threads = Threads()
        self._workplace = Workplace(
            engine=engine,
            threads=self._threads,
            leases=leases,
            clock=clock,
            profile=load_seccomp_profile(),
            installation=installation,
            controller=controller,
            socket_root=socket_root(installation, sockets),
        )
        self._readiness = Readiness(
            self._workplace, settings.image, settings.cgroup_parent, paths, home / DATA_FOLDER
        )
        self._reaper = Reaper(
            engine,
            leases,
            clock,
            installation,
            sockets=sockets,
            only_controller=controller if alone else "",
            left=self._workplace.left,
            cgroups=MemberCgroups(
                HostTraits(cgroup_version=mounted_version(), cgroup_parent=settings.cgroup_parent)
            ),
        )
        self._dealer = Dealer(self._workplace, settings)
        self._attempts = Attempts(
            self._dealer, self._readiness, self._workplace.profile.digest, settings.engine_seconds
        )
        self._sealed = SealedRuns(self._dealer, self._attempts, market_data)
        self._background: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: SandboxSettings,
        home: Path,
        leases: Leases,
        market_data: MarketData,
        clock: Clock,
        *,
        alone: bool = False,
    ) -> AsyncIterator[Self]:
        """Reconcile what an earlier controller left and prove the limits, in the background.

        Yields at once; batches wait for the proof. Running batches must end before the block.

        Args:
            settings: Section of the settings.
            home: Home directory; its installation id marks our containers.
            leases: Persistent record of containers.
            market_data: Where the tiers of data sets lie.
            clock: Time.
            alone: Whether no other controller of this home directory can run, because the
                caller holds its lock; then every container of another one is an orphan.

        Raises:
            StoreError: The home directory cannot be written.
            UnsafeConfigurationError: The engine's address, ``host_home`` or the seccomp profile
                is unsafe.
        """
        engine = DockerEngine(settings.engine, settings.engine_seconds)
        sandbox = cls(
            settings=settings,
            home=home,
            engine=engine,
            leases=leases,
            market_data=market_data,
            clock=clock,
            alone=alone,
        )
        await sandbox.start()
        try:
            yield sandbox
        finally:
            await sandbox.stop()
            engine.close()

    async def start(self) -> None:
        """Begin the background work."""
        self._background.append(asyncio.create_task(self._boot(), name="sandbox-boot"))

    def stop_warming(self) -> None:
        """Remove what waits for work in the background, because no more work will come."""
        self._dealer.shut()

    async def stop(self) -> None:
        """End the background work and remove our sockets; batches must have ended."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._dealer.close()
        await self._readiness.close()
        if self._workplace.left:
            with suppress(InfrastructureError, EngineUnavailableError):
                await self._threads.call(self._reaper.sweep)
        self._threads.close()
        with suppress(OSError):
            self._workplace.socket_root.rmdir()

    @property
    def ready(self) -> Flag:
        """Set while the limits of the configured runtime are proven."""
        return self._readiness.flag(self._settings.runtime)

    @property
    def proof(self) -> Proof | None:
        """The proof of the configured runtime, None while there is none."""
        return self._readiness.known(self._settings.runtime)

    @property
    def pool_stats(self) -> PoolStats:
        """How many batches found a container waiting, and what there is now."""
        return self._dealer.stats

    async def prove(self, runtime: str = "") -> Proof:
        """Return the proof of ``runtime`` (default: the configured one), making it if needed.

        Raises:
            SandboxNotReadyError: The image or the runtime is missing, or a limit is unproven.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        await self._threads.call(make_socket_root, self._workplace.socket_root)
        return await self._readiness.proven(runtime or self._settings.runtime)

    async def run(
        self,
        batch: TrialBatch,
        on_progress: ProgressListener,
        judge_first: FirstJudge | None = None,
    ) -> list[TrialClaim]:
        """Run all trials of ``batch`` and return one claim each, in their order.

        A failing strategy is an outcome, never an exception. Cancelling the task that awaits
        this kills the container before the cancellation is delivered.

        Args:
            batch: What to run.
            on_progress: Told of every sign of life.
            judge_first: See :meth:`stratlab.domain.ports.Sandbox.run`.

        Raises:
            SandboxNotReadyError: Image missing or a limit unproven.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused the proof.
            UnsafeConfigurationError: The policy refuses the batch's limits.
            InvalidSpecError: The trials do not share one tier and data set.
            InvalidSourceError: The source cannot be sent.
            PermissionDeniedError: It would mount the holdout.
            DataSetNotFoundError: No such data set.
        """
        if not batch.trials:
            return []
        check_batch(batch)
        refuse_holdout(batch)
        names = OpaqueNames.of(batch)
        claims = await self._run(names.batch, names.listener(on_progress), names.judge(judge_first))
        return [names.claim(claim) for claim in claims]

    async def _run(
        self, batch: TrialBatch, on_progress: ProgressListener, judge_first: FirstJudge | None
    ) -> list[TrialClaim]:
        proof = await self.prove(batch.runtime)
        check_limits(batch.limits, proof.host)
        self._dealer.know_host(proof.memory_mib)
        site, ahead = await self._threads.call(self._sites, proof, batch)
        claims: dict[str, TrialClaim] = {}
        suspects: tuple[str, ...] = ()
        judge = judge_first
        while pending := [trial for trial in batch.trials if trial.trial_id not in claims]:
            pending = [trial for trial in pending if trial.trial_id in suspects] or pending
            report = await self._attempts.some_claims(
                partial(
                    self._dealer.deal,
                    site,
                    batch,
                    pending,
                    on_progress,
                    judge,
                    ahead=ahead,
                    alone=bool(suspects),
                ),
                site,
                batch,
                pending,
            )
            if report.stopped or (judge is not None and report.claims[0].outcome.is_retried):
                return list(report.claims[:1])
            claims |= {claim.trial_id: claim for claim in report.claims}
            suspects = report.suspects
            judge = None
        return [claims[trial.trial_id] for trial in batch.trials]

    async def run_sealed(
        self, batch: TrialBatch, on_progress: ProgressListener
    ) -> list[TrialClaim]:
        """Do what :meth:`stratlab.domain.sealed.SealedSandbox.run_sealed` promises.

        Args:
            batch: What to run.
            on_progress: Told of every sign of life.

        Raises:
            SandboxNotReadyError: Image missing or a limit unproven.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused the proof.
            UnsafeConfigurationError: The policy refuses the batch's limits.
            InvalidSpecError: The data set is intraday, or the trials do not share one tier.
            InvalidSourceError: The source cannot be sent.
            DataSetNotFoundError: No such data set.
        """
        check_batch(batch)
        names, proof = OpaqueNames.of(batch), await self.prove(batch.runtime)
        claims = await self._sealed.run(names.batch, proof, names.listener(on_progress))
        return [names.claim(claim) for claim in claims]

    def _sites(self, proof: Proof, batch: TrialBatch) -> tuple[Site, Site | None]:
        # With what comes next: a campaign whose candidate does well in training validates it.
        tier = batch.trials[0].window.tier
        site = self._site(proof, batch, tier)
        if tier is not Tier.TRAIN or batch.trials[-1].purpose is not TrialPurpose.SEARCH:
            return site, None
        try:
            return site, self._site(proof, batch, Tier.VALIDATION)
        except StratlabError:
            return site, None  # a data set without one

    def _site(self, proof: Proof, batch: TrialBatch, tier: Tier) -> Site:
        first = batch.trials[0]
        directory = self._market_data.mount(first.market.data_set, tier, first.world).resolve()
        return Site(
            proof.image_id,
            batch.runtime,
            proof.host,
            batch.limits,
            directory,
            data_stamp=data_stamp(directory),
        )

    async def _boot(self) -> None:
        try:
            await self._threads.call(self._reaper.sweep)
        except (InfrastructureError, EngineUnavailableError) as error:
            _log.warning("reconciling failed, will be tried again", error=str(error))
        self._background.append(
            asyncio.create_task(
                self._reaper.keep_sweeping(self._threads, self._attempts.forget_proofs),
                name="sandbox-reaper",
            )
        )
        while True:
            try:
                await self.prove()
            except StratlabError:
                # The readiness has logged it, and whoever runs a batch meanwhile gets it too.
                await asyncio.sleep(_PROVE_AGAIN_SECONDS)
            else:
                await self.ready.wait_cleared()
