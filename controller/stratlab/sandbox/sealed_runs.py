"""Sealed replays: one container for each trial, without data, beside the feed of its market."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import MarketSet
from stratlab.domain.ports import MarketData, ProgressListener
from stratlab.domain.trial import Engine, TrialBatch, TrialClaim, TrialSpec
from stratlab.sandbox.attempts import Attempts
from stratlab.sandbox.containers import Site
from stratlab.sandbox.dealer import Dealer
from stratlab.sandbox.member import MemberReport
from stratlab.sandbox.policy import check_limits
from stratlab.sandbox.readiness import Proof
from stratlab.sandbox.sealed_feeder import Feeder

if TYPE_CHECKING:
    from stratlab.sandbox.sealed_script import Script


PATIENCE: Final = 3
"""A replay may take so many times as long as a run whose bars are all there."""


@final
class SealedRuns:
    """Runs batches whose markets are revealed bar by bar.

    Args:
        dealer: Where containers come from.
        attempts: Tries again what was nobody's fault.
        market_data: The host's prices.
    """

    def __init__(self, dealer: Dealer, attempts: Attempts, market_data: MarketData) -> None:
        self._dealer = dealer
        self._attempts = attempts
        self._market_data = market_data

    async def run(
        self, batch: TrialBatch, proof: Proof, on_progress: ProgressListener
    ) -> list[TrialClaim]:
        """Do what :meth:`stratlab.domain.sealed.SealedSandbox.run_sealed` promises.

        Args:
            batch: What to run, checked.
            proof: That the limits hold.
            on_progress: Told of every sign of life.
        """
        limits = replace(
            batch.limits,
            cpu_seconds=batch.limits.cpu_seconds * PATIENCE,
            wall_seconds=batch.limits.wall_seconds * PATIENCE,
        )
        batch = replace(batch, limits=limits, engine=Engine.FAST)
        check_limits(batch.limits, proof.host)
        self._dealer.know_host(proof.memory_mib)
        site = Site(proof.image_id, batch.runtime, proof.host, batch.limits)
        # One after the other: they are few, and each has a container of its own anyway.
        return [await self._one(batch, trial, site, on_progress) for trial in batch.trials]

    async def _one(
        self, batch: TrialBatch, trial: TrialSpec, site: Site, on_progress: ProgressListener
    ) -> TrialClaim:
        script = await asyncio.to_thread(self._script, trial)

        async def deal() -> MemberReport:
            # Whatever an earlier container was told, this one begins at the beginning.
            return await self._dealer.deal_sealed(site, batch, trial, on_progress, Feeder(script))

        report = await self._attempts.some_claims(deal, site, batch, [trial])
        return report.claims[0]

    def _script(self, trial: TrialSpec) -> "Script":
        from stratlab.sandbox.sealed_script import Script  # noqa: PLC0415 - keeps start-up fast

        if trial.world:
            raise InvalidSpecError(
                f"the world {trial.world!r} cannot be replayed sealed",
                hint="Scrambled worlds are run with their tier mounted.",
            )
        data_set = self._market_data.get(trial.market.data_set)
        # Pipelines see every symbol of a mounted tier, so they see every symbol here.
        market = MarketSet(data_set.name, data_set.symbols, data_set.timeframe)
        prices = self._market_data.prices(market, trial.window.tier)
        return Script.of(trial, data_set, prices)
