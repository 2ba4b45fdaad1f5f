"""Deals containers to batches: room on the host, a warm container or a new one, and its end."""

import asyncio
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

import structlog

from stratlab.domain.ports import POOL, FirstJudge, ProgressListener
from stratlab.domain.trial import TrialBatch, TrialSpec
from stratlab.sandbox.admission import Admission, Need
from stratlab.sandbox.containers import Site, Workplace
from stratlab.sandbox.member import Member, MemberReport
from stratlab.sandbox.policy import TMP_INODES
from stratlab.sandbox.pool import IDLE_MIB, Kind, Pool
from stratlab.sandbox.pool_stats import PoolStats
from stratlab.sandbox.sealed_feeder import Feeder
from stratlab.sandbox.sealed_member import SealedMember
from stratlab.sandbox.warm_member import LONGEST_USE_SECONDS, WarmMember
from stratlab.settings import SandboxSettings

_log = structlog.get_logger(__name__)

_MEMORY_PARTS: Final = 5  # four of which are for containers
_BREATH_SECONDS: Final = 0.1


@final
class Dealer:
    """Gives every batch its turn and a container of its own.

    Args:
        workplace: Engine, leases and the rest.
        settings: Section of the settings.
    """

    def __init__(self, workplace: Workplace, settings: SandboxSettings) -> None:
        self._workplace = workplace
        self._settings = settings
        self._admission = Admission(settings.members or os.cpu_count() or 1)
        self._pool: Pool[WarmMember] = Pool(
            low=settings.pool_low,
            high=settings.pool_high,
            idle_seconds=settings.pool_idle_seconds,
            admission=self._admission,
            warm_up=self._warm_up,
            monotonic=workplace.clock.monotonic,
        )

    @property
    def stats(self) -> PoolStats:
        """What became of claims so far."""
        return self._pool.stats

    def know_host(self, memory_mib: int) -> None:
        """Learn how much memory the engine's host has."""
        self._admission.memory_mib = (
            self._settings.memory_mib or memory_mib * (_MEMORY_PARTS - 1) // _MEMORY_PARTS
        )

    async def deal(
        self,
        site: Site,
        batch: TrialBatch,
        trials: Sequence[TrialSpec],
        on_progress: ProgressListener,
        judge: FirstJudge | None = None,
        *,
        ahead: Site | None = None,
        alone: bool = False,
    ) -> MemberReport:
        """Run ``trials`` of ``batch`` in one container, as far as it lives.

        Args:
            site: What a container for one trial at a time is made from.
            batch: Where the source comes from.
            trials: At least one.
            on_progress: Told of every sign of life.
            judge: Asked about the first claim.
            ahead: What the campaign will want next, to be warmed meanwhile.
            alone: Whether trials must not run beside each other.

        Raises:
            EngineError, EngineUnavailableError, SandboxNotReadyError: No container could be made.
            UnsafeConfigurationError: The policy refuses the limits.
        """
        campaign_id = batch.campaign_id
        lanes = 1 if alone else self._lanes(site, campaign_id, len(trials) - (judge is not None))
        site = _widened(site, lanes)
        need = self._need(site)
        self._pool.make_way(Kind.of(site), need)
        async with self._admission.turn(campaign_id, need):
            found = True
            while found:
                found, report = await self._use_one(
                    site, batch, trials, on_progress, judge, ahead, lanes
                )
        # Not after an error: an engine in trouble is not asked for more.
        self._pool.refill()
        return report

    async def deal_sealed(
        self,
        site: Site,
        batch: TrialBatch,
        trial: TrialSpec,
        on_progress: ProgressListener,
        feeder: Feeder,
    ) -> MemberReport:
        """Run one trial in a container that is told of its market while it runs.

        Nothing can be warmed for it: what its process may know from the start is its own.

        Args:
            site: What the container is made from; it mounts no data.
            batch: Where the source comes from.
            trial: The trial.
            on_progress: Told of every sign of life.
            feeder: Fresh.

        Raises:
            EngineError, EngineUnavailableError, SandboxNotReadyError: No container could be made.
            UnsafeConfigurationError: The policy refuses the limits.
        """
        clock = self._workplace.clock
        need = self._need(site)
        self._pool.make_way(Kind.of(site), need)
        async with self._admission.turn(batch.campaign_id, need):
            began = clock.monotonic()
            warm = await WarmMember.start(
                self._workplace,
                site,
                self._settings.startup_seconds,
                campaign_id=batch.campaign_id,
                lifetime_seconds=batch.limits.wall_seconds,
                feeder=feeder,
            )
            try:
                waited = clock.monotonic() - began
                member = SealedMember(self._workplace, warm, feeder, batch, on_progress, waited)
                return await member.run(trial)
            finally:
                await warm.close()

    def drain(self) -> None:
        """Let go of every container that waits."""
        self._pool.drain()

    def shut(self) -> None:
        """Let go of every container that waits, for good; batches go on without."""
        self._pool.shut()

    async def close(self) -> None:
        """Remove every container that waits; batches must have ended."""
        await self._pool.close()

    async def _use_one(
        self,
        site: Site,
        batch: TrialBatch,
        trials: Sequence[TrialSpec],
        on_progress: ProgressListener,
        judge: FirstJudge | None,
        ahead: Site | None,
        lanes: int,
    ) -> tuple[bool, MemberReport]:
        # With whether the container had waited and died before it said anything: try another.
        clock = self._workplace.clock
        began = clock.monotonic()
        # Some trials may run twice.
        lifetime = 2.0 * batch.limits.wall_seconds * len(trials)
        warm = None
        # A world is used once; nobody else shall wait for it, or be given what waits.
        if lifetime <= LONGEST_USE_SECONDS and not batch.trials[0].world:
            warm = await self._pool.take(Kind.of(site))
        found = warm is not None
        if warm is None:
            warm = await WarmMember.start(
                self._workplace,
                site,
                self._settings.startup_seconds,
                campaign_id=batch.campaign_id,
                lifetime_seconds=lifetime,
            )
        else:
            warm.assign(batch.campaign_id, lifetime)
        try:
            waited = clock.monotonic() - began
            _log.debug(
                "member claimed",
                member=warm.lease.member_id,
                campaign=batch.campaign_id,
                found_warm=found,
                waited_seconds=round(waited, 4),
                lanes=lanes,
            )
            # Making a container takes the engine, and would slow down the start of this trial.
            later = asyncio.get_running_loop().call_later
            later(_BREATH_SECONDS, self._pool.refill)
            if ahead is not None:
                kind = Kind.of(self._site_ahead(ahead, batch, trials))
                later(_BREATH_SECONDS, self._pool.want, kind)
            member = Member(self._workplace, warm, batch, on_progress, waited)
            report = await member.run(trials, judge, lanes)
        finally:
            await warm.close()
        return found and bool(report.lost) and not report.answered, report

    async def _warm_up(self, kind: Kind) -> WarmMember:
        return await WarmMember.start(
            self._workplace,
            kind.site,
            self._settings.startup_seconds,
            campaign_id=POOL,
            lifetime_seconds=self._settings.pool_idle_seconds,
            longest_use_seconds=LONGEST_USE_SECONDS,
        )

    def _site_ahead(self, ahead: Site, batch: TrialBatch, trials: Sequence[TrialSpec]) -> Site:
        markets = len({trial.market for trial in trials})
        return _widened(ahead, self._lanes(ahead, batch.campaign_id, markets))

    def _lanes(self, site: Site, campaign_id: str, trials: int) -> int:
        # One process a core, and no more than a campaign's share of them.
        cores = max(1, math.ceil(site.limits.cpus))
        share = self._admission.cores // self._admission.campaigns_with(campaign_id)
        lanes = min(
            self._settings.sweep_processes or share,
            trials,
            share // cores,
            site.host.cpus // cores,
            TMP_INODES // site.limits.pids,
        )
        if self._admission.memory_mib:
            lanes = min(lanes, self._admission.memory_mib // site.limits.memory_mib)
        return max(1, lanes)

    def _need(self, site: Site) -> Need:
        cores = min(self._admission.cores, max(1, math.ceil(site.limits.cpus)))
        memory = site.limits.memory_mib
        if self._admission.memory_mib:
            # What fits beside all that may wait never waits for it.
            room = self._admission.memory_mib - self._settings.pool_high * IDLE_MIB
            memory = max(0, min(memory, room))
        return Need(cores, memory)


def _widened(site: Site, lanes: int) -> Site:
    # Each trial has what it would have alone.
    if lanes == 1:
        return site
    limits = replace(
        site.limits,
        memory_mib=site.limits.memory_mib * lanes,
        cpus=site.limits.cpus * lanes,
        pids=site.limits.pids * lanes,
        tmp_mib=site.limits.tmp_mib * lanes,
    )
    return replace(site, limits=limits)
