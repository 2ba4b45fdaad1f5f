"""Plans the trials of an iteration, has them run, and settles what comes back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

from stratlab.campaigns.smoke import SMOKE_INDEX, smoke_window
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign
from stratlab.domain.events import EventKind
from stratlab.domain.market import MarketSet, Tier, Window
from stratlab.domain.points import Point
from stratlab.domain.ports import (
    Artifacts,
    Clock,
    Evaluator,
    FirstJudge,
    MarketData,
    Repository,
    Sandbox,
)
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
Gate = Callable[[TrialResult], bool]


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
        opens: Gate | None = None,
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
            opens: When given, a smoke run comes first, in the same container, and the trials
                behind it begin only if this says so of its result; else it is the only result.

        Raises:
            SandboxNotReadyError, EngineUnavailableError: Nothing can be run at all.
        """
        specs = self._plan(campaign, tier, points, first_index)
        ledger = _Ledger(candidate, done)
        smoke = None
        if opens is not None:
            smoke = await asyncio.to_thread(self._smoke, campaign, specs[0])
            settled = ledger.final.get(smoke.trial_id)
            if settled is not None and not opens(settled):
                return [settled]
            specs.insert(0, smoke)
        open_specs = [spec for spec in specs if spec.trial_id not in ledger.final]
        if not open_specs:
            return [ledger.final[spec.trial_id] for spec in specs]
        judge = None
        started = open_specs
        if opens is not None and open_specs[0] is smoke:
            started = open_specs[:1]
            judge = self._judge(campaign, open_specs, ledger, notify, opens)
        await self._mark_started(campaign, started, ledger)
        notify(None)
        batch = TrialBatch(
            campaign_id=campaign.id,
            source=candidate.source,
            trials=tuple(open_specs),
            limits=campaign.spec.limits,
            runtime=campaign.spec.runtime,
            engine=campaign.spec.engine,
        )
        claims = await self._sandbox.run(batch, notify, judge)
        for spec, claim in zip(open_specs, claims, strict=judge is None):
            # A claim that was judged already may have become void since.
            if ledger.claims.get(spec.trial_id) is not claim:
                await self._settle(campaign, spec, claim, ledger)
                notify(None)
        return [ledger.final[spec.trial_id] for spec in specs if spec.trial_id in ledger.final]

    def _judge(
        self,
        campaign: Campaign,
        specs: Sequence[TrialSpec],
        ledger: "_Ledger",
        notify: Listener,
        opens: Gate,
    ) -> FirstJudge:
        async def judge(claim: TrialClaim) -> bool:
            result = await self._settle(campaign, specs[0], claim, ledger)
            goes_on = opens(result)
            if goes_on:
                await self._mark_started(campaign, specs[1:], ledger)
            notify(None)
            return goes_on

        return judge

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

    def _smoke(self, campaign: Campaign, first: TrialSpec) -> TrialSpec:
        prices = self._market_data.prices(first.market, first.window.tier)
        return replace(
            first,
            trial_id=f"{campaign.id}-{campaign.iteration:04d}-smoke",
            index=SMOKE_INDEX,
            purpose=TrialPurpose.SMOKE,
            window=smoke_window(first.window, prices),
        )

    async def _mark_started(
        self,
        campaign: Campaign,
        specs: Sequence[TrialSpec],
        ledger: "_Ledger",
    ) -> None:
        # A trial counts as LOST from its start until it is settled: whoever finds the row after
        # a crash knows that it must be run again, and which attempt that is.
        def write() -> None:
            now = self._clock.now()
            with self._repository.transaction() as transaction:
                points = [ledger.point(campaign, spec) for spec in specs]
                transaction.register_points(campaign.id, points)
                for spec in specs:
                    lost = ledger.stored.get(spec.trial_id)
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
                    attempt = ledger.attempt(spec)
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
                            "purpose": spec.purpose.value,
                            "tier": spec.window.tier.value,
                            "attempt": attempt,
                            "parameters": dict(spec.parameters),
                            "symbols": list(spec.market.symbols),
                        },
                    )

        await uninterrupted(write)

    async def _settle(
        self, campaign: Campaign, spec: TrialSpec, claim: TrialClaim, ledger: "_Ledger"
    ) -> TrialResult:
        attempt = ledger.attempt(spec)

        def settle() -> TrialResult:
            prices = self._market_data.prices(spec.market, spec.window.tier)
            result = replace(
                self._evaluator.settle(spec, claim, prices, campaign.spec.limits), attempt=attempt
            )
            digests: Mapping[str, str] = {}
            if spec.purpose is TrialPurpose.SMOKE:
                # It says whether a strategy runs; how it would have done must not count anywhere.
                result = replace(result, metrics=None, benchmark_metrics=None)
            else:
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

        result = await uninterrupted(settle)
        ledger.claims[spec.trial_id] = claim
        ledger.final[spec.trial_id] = result
        return result


@final
class _Ledger:
    # What is known of the trials of an iteration while they are run. `stored`: as found when it
    # began; `final`: not to be run again, or not in this round; `claims`: what was settled.
    def __init__(self, candidate: Candidate, done: Sequence[TrialResult]) -> None:
        self._candidate = candidate.hash
        self.stored = {result.spec.trial_id: result for result in done}
        self.final = {
            trial_id: result
            for trial_id, result in self.stored.items()
            if not result.outcome.is_retried
        }
        self.claims: dict[str, TrialClaim] = {}

    def attempt(self, spec: TrialSpec) -> int:
        before = self.stored.get(spec.trial_id)
        return 1 if before is None else before.attempt + 1

    def point(self, campaign: Campaign, spec: TrialSpec) -> Point:
        attempt = self.attempt(spec)
        return Point(
            campaign_id=campaign.id,
            iteration=campaign.iteration,
            candidate=self._candidate,
            parameters=spec.parameters,
            purpose=spec.purpose if attempt == 1 else TrialPurpose.RERUN,
            occasion="" if attempt == 1 else f"{spec.trial_id}/{attempt}",
        )
