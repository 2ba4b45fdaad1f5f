"""Plans the trials of an iteration, has them run, and settles what comes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign
from stratlab.domain.events import EventKind
from stratlab.domain.market import MarketSet, Tier, Window
from stratlab.domain.ports import Artifacts, Clock, Evaluator, MarketData, Repository, Sandbox
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import (
    Outcome,
    Parameters,
    TrialBatch,
    TrialClaim,
    TrialProgress,
    TrialPurpose,
    TrialResult,
    TrialSpec,
)

Listener = Callable[[TrialProgress | None], None]


@final
class TrialDesk:
    """Runs the trials of one iteration and stores each result as it is settled."""

    def __init__(
        self,
        *,
        repository: Repository,
        artifacts: Artifacts,
        market_data: MarketData,
        sandbox: Sandbox,
        evaluator: Evaluator,
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._artifacts = artifacts
        self._market_data = market_data
        self._sandbox = sandbox
        self._evaluator = evaluator
        self._clock = clock

    async def run_tier(
        self,
        campaign: Campaign,
        candidate: Candidate,
        tier: Tier,
        points: Sequence[Parameters],
        first_index: int,
        done: Sequence[TrialResult],
        notify: Listener,
    ) -> list[TrialResult]:
        """Run what is missing of a tier and return all its results, by trial index.

        Args:
            campaign: The campaign, in the iteration that is running.
            candidate: What to run.
            tier: Which tier.
            points: Parameter points to run on every market set.
            first_index: Trial index of the first one.
            done: Results of this iteration that are stored already.
            notify: Called with live progress, and with None after something was stored.

        Raises:
            SandboxNotReadyError, EngineUnavailableError: Nothing can be run at all.
        """
        specs = self._plan(campaign, tier, points, first_index)
        stored = {result.spec.trial_id: result for result in done}
        final = {
            trial_id: result for trial_id, result in stored.items() if not result.outcome.is_retried
        }
        open_specs = [spec for spec in specs if spec.trial_id not in final]
        if open_specs:
            attempts = {
                spec.trial_id: 1 + (stored[spec.trial_id].attempt if spec.trial_id in stored else 0)
                for spec in open_specs
            }
            await self._mark_started(campaign, open_specs, stored, attempts)
            notify(None)
            claims = await self._sandbox.run(
                TrialBatch(
                    campaign_id=campaign.id,
                    source=candidate.source,
                    trials=tuple(open_specs),
                    limits=campaign.spec.limits,
                    runtime=campaign.spec.runtime,
                ),
                notify,
            )
            for spec, claim in zip(open_specs, claims, strict=True):
                result = await self._settle(campaign, spec, claim, attempts[spec.trial_id])
                final[spec.trial_id] = result
                notify(None)
        return [final[spec.trial_id] for spec in specs]

    def _plan(
        self, campaign: Campaign, tier: Tier, points: Sequence[Parameters], first: int
    ) -> list[TrialSpec]:
        spec = campaign.spec
        traded = self._market_data.get(spec.data_set).tiers[tier]
        combinations = [
            (symbols, timeframe, point)
            for symbols in spec.markets
            for timeframe in spec.timeframes
            for point in points
        ]
        return [
            TrialSpec(
                trial_id=f"{campaign.id}-{campaign.iteration:04d}-{index:03d}",
                index=index,
                purpose=TrialPurpose.SEARCH,
                market=MarketSet(spec.data_set, symbols, timeframe),
                window=Window(tier, traded.start, traded.end),
                parameters=point,
                capital=spec.capital,
                cost_model=spec.cost_model,
                seed=spec.seed,
            )
            for index, (symbols, timeframe, point) in enumerate(combinations, start=first)
        ]

    async def _mark_started(
        self,
        campaign: Campaign,
        specs: Sequence[TrialSpec],
        stored: Mapping[str, TrialResult],
        attempts: Mapping[str, int],
    ) -> None:
        # A trial counts as LOST from its start until it is settled: whoever finds the row after
        # a crash knows that it must be run again, and which attempt that is.
        def write() -> None:
            now = self._clock.now()
            with self._repository.transaction() as transaction:
                for spec in specs:
                    lost = stored.get(spec.trial_id)
                    if lost is not None and lost.outcome is Outcome.LOST:
                        transaction.append_event(
                            campaign.id,
                            now,
                            EventKind.TRIAL_FINISHED,
                            {
                                "trial": spec.trial_id,
                                "outcome": lost.outcome.value,
                                "attempt": lost.attempt,
                            },
                        )
                    attempt = attempts[spec.trial_id]
                    transaction.save_result(
                        campaign.id,
                        campaign.iteration,
                        TrialResult(
                            spec, Outcome.LOST, "started, not settled yet", attempt=attempt
                        ),
                    )
                    transaction.append_event(
                        campaign.id,
                        now,
                        EventKind.TRIAL_STARTED,
                        {
                            "trial": spec.trial_id,
                            "tier": spec.window.tier.value,
                            "attempt": attempt,
                            "parameters": dict(spec.parameters),
                            "symbols": list(spec.market.symbols),
                        },
                    )

        await uninterrupted(write)

    async def _settle(
        self, campaign: Campaign, spec: TrialSpec, claim: TrialClaim, attempt: int
    ) -> TrialResult:
        def settle() -> TrialResult:
            prices = self._market_data.prices(spec.market, spec.window.tier)
            result = replace(
                self._evaluator.settle(spec, claim, prices, campaign.spec.limits), attempt=attempt
            )
            digests = self._artifacts.put_series(campaign.id, result)
            with self._repository.transaction() as transaction:
                transaction.save_result(campaign.id, campaign.iteration, result)
                transaction.append_event(
                    campaign.id,
                    self._clock.now(),
                    EventKind.TRIAL_FINISHED,
                    {
                        "trial": spec.trial_id,
                        "outcome": result.outcome.value,
                        "attempt": attempt,
                        "orders_digest": result.orders_digest,
                        "image_id": result.sandbox.image_id,
                        "runtime": result.sandbox.runtime,
                        "seccomp_digest": result.sandbox.seccomp_digest,
                        "artifacts": dict(digests),
                    },
                )
            # The series are in the artefacts now; the loop needs the figures only.
            return replace(result, fills=(), equity=(), benchmark_equity=())

        return await uninterrupted(settle)
