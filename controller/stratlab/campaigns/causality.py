"""The causality test: the same orders on the same data, whatever comes afterwards."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, final

from stratlab.campaigns.repetition import (
    NO_ANSWER,
    Announce,
    Repetition,
    compared,
    repeat,
    run_elsewhere,
)
from stratlab.campaigns.rerun import Suspect, rerun_of, run_again
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.campaign import Campaign
from stratlab.domain.causality import CausalityBudget, World, Worlds
from stratlab.domain.errors import InvalidInputError, LimitExceededError
from stratlab.domain.examination import CausalityCut, CausalityEvidence, DelayTest
from stratlab.domain.market import PricePanel
from stratlab.domain.points import Point
from stratlab.domain.ports import MarketData, Repository, Sandbox
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import Outcome, TrialClaim, TrialPurpose, TrialResult, TrialSpec

if TYPE_CHECKING:
    from stratlab.evaluation.causality import ChosenCut, Log

_MIN_WARM_UP: Final = 20  # sessions, of which half are left out


@final
@dataclass(frozen=True, slots=True)
class _Plan:
    # What is run in worlds, and how the result does when it is late.
    cuts: tuple["ChosenCut", ...]
    worlds: tuple[World, ...]
    following: tuple[int | None, ...]
    dropped_sessions: int
    delay: DelayTest


@final
class CausalityTest:
    """Runs trials again: as they were, and in worlds with another future.

    Orders are compared and nothing is priced: a world's profits mean nothing. An honest strategy
    gives the same orders up to the cut, whatever the world is like, so that it never fails.

    Args:
        market_data: The host's own prices.
        sandbox: Runs the trials.
        worlds: Builds the worlds.
        budget: Re-runs in worlds.
        second_runtime: Container runtime on which one trial must give the same orders, where the
            engine has it; "" for none.
    """

    def __init__(
        self,
        market_data: MarketData,
        sandbox: Sandbox,
        worlds: Worlds,
        budget: CausalityBudget = CausalityBudget(),  # noqa: B008 - frozen
        second_runtime: str = "",
    ) -> None:
        self._market_data = market_data
        self._sandbox = sandbox
        self._worlds = worlds
        self._budget = budget
        self._second_runtime = second_runtime

    def also_on(self, runtime: str) -> "CausalityTest":
        """Return the same test with another second runtime."""
        return CausalityTest(self._market_data, self._sandbox, self._worlds, self._budget, runtime)

    async def run(self, suspect: Suspect, announce: Announce = lambda _: None) -> CausalityEvidence:
        """Return whether a strategy's decisions depend on nothing but the past.

        The outcome is NONDETERMINISTIC when the same trial gives other orders, LOOKAHEAD when
        another future does, that of a re-run that could not be compared, or else SUCCEEDED.

        Args:
            suspect: Whom to test.
            announce: Told of re-runs before they begin.

        Raises:
            InvalidInputError: No trial succeeded.
            UnavailableError: A trial cannot be run at all.
            InfrastructureError: The worlds cannot be built.
        """
        if not suspect.results:
            raise InvalidInputError("no trial succeeded, so none can be run again")
        sandbox, runtime = self._sandbox, self._second_runtime
        # Beside what the controller does meanwhile, for gVisor starts slowly; but never beside a
        # world, for it has seen the true future.
        elsewhere = asyncio.ensure_future(run_elsewhere(sandbox, suspect, runtime, announce))
        try:
            repeated = await repeat(sandbox, suspect, announce)
            if repeated.difference:
                return _nondeterministic(repeated)
            plan = await asyncio.to_thread(self._plan, suspect, repeated.logs)
            async with self._opened(plan.worlds) as names:
                repeated = compared(repeated, await elsewhere, runtime)
                if repeated.difference:
                    return _nondeterministic(repeated)
                found = await self._run_in_worlds(suspect, plan, names, announce)
        finally:
            elsewhere.cancel()
            await asyncio.gather(elsewhere, return_exceptions=True)
        evidence = _judged(suspect.results, repeated.logs, plan, found[: len(plan.cuts)])
        return replace(
            evidence,
            repetitions=repeated.count,
            delay=plan.delay,
            warm_up_difference=_warm_up(repeated.logs[0], plan, found[len(plan.cuts) :]),
        )

    async def _run_in_worlds(
        self, suspect: Suspect, plan: _Plan, names: Sequence[str], announce: Announce
    ) -> list[TrialClaim]:
        specs = [
            rerun_of(suspect.results[cut.trial].spec, f"cut{number:02d}", world)
            for number, (cut, world) in enumerate(zip(plan.cuts, names, strict=False))
        ]
        if plan.dropped_sessions:
            specs.append(rerun_of(suspect.results[0].spec, "warmup", names[-1]))
        await uninterrupted(lambda: announce(specs))
        return await run_again(self._sandbox, suspect, specs)

    def _plan(self, suspect: Suspect, logs: Sequence["Log"]) -> _Plan:
        # keeps start-up fast: numpy
        from stratlab.evaluation.causality import (  # noqa: PLC0415
            choose_cuts,
            find_deaths,
            find_decisions,
        )
        from stratlab.evaluation.repricing import window_rows  # noqa: PLC0415

        specs = [result.spec for result in suspect.results]
        panels = [self._market_data.prices(spec.market, spec.window.tier) for spec in specs]
        every = zip(logs, specs, panels, strict=True)
        cuts = choose_cuts(
            [find_decisions(log, spec, prices) for log, spec, prices in every],
            [
                prices.bars[window_rows(prices, spec.window)].tolist()
                for spec, prices in zip(specs, panels, strict=True)
            ],
            [find_deaths(spec, prices) for spec, prices in zip(specs, panels, strict=True)],
            self._budget,
            suspect.seed,
        )
        worlds = [
            World(
                specs[cut.trial].market.data_set,
                specs[cut.trial].window.tier,
                cut.label,
                suspect.seed % 2**31 + number,
                cut.against,
                cut.bars,
            )
            for number, cut in enumerate(cuts)
        ]
        first, prices = specs[0], panels[0]
        before = len(set(prices.sessions[: window_rows(prices, first.window).start].tolist()))
        dropped = before // 2 if before >= _MIN_WARM_UP else 0
        if dropped:
            worlds.append(World(first.market.data_set, first.window.tier, dropped_sessions=dropped))
        return _Plan(
            cuts,
            tuple(worlds),
            tuple(_following(panels[cut.trial], cut.label) for cut in cuts),
            dropped,
            _delay(suspect.results[0], logs[0], prices),
        )

    @asynccontextmanager
    async def _opened(self, worlds: Sequence[World]) -> AsyncIterator[Sequence[str]]:
        stack = ExitStack()
        try:
            yield await uninterrupted(lambda: stack.enter_context(self._worlds.opened(worlds)))
        finally:
            await uninterrupted(stack.close)


@final
class CampaignCausality:
    """Implements :class:`stratlab.domain.causality.CausalityDesk`.

    Args:
        test: What to put candidates to.
        repository: Where re-runs are registered.
    """

    def __init__(self, test: CausalityTest, repository: Repository) -> None:
        self._test = test
        self._repository = repository

    async def examine(
        self, campaign: Campaign, candidate: Candidate, results: Sequence[TrialResult]
    ) -> CausalityEvidence:
        """Return whether a candidate's decisions depend on nothing but the past.

        Args:
            campaign: In the iteration that found the candidate.
            candidate: Whom to examine.
            results: Settled trials of one parameter point of it; those that succeeded are run
                again.

        Raises:
            InvalidInputError: No trial succeeded.
            UnavailableError: A trial cannot be run at all.
            InfrastructureError: The worlds cannot be built.
        """
        spec = campaign.spec
        suspect = Suspect(
            campaign_id=campaign.id,
            source=candidate.source,
            limits=spec.limits,
            runtime=spec.runtime,
            engine=spec.engine,
            results=tuple(each for each in results if each.outcome is Outcome.SUCCEEDED),
            seed=seed_of(spec.seed, candidate.source),
            notify=lambda _: None,
        )

        def announce(specs: Sequence[TrialSpec]) -> None:
            points = [
                Point(
                    campaign_id=campaign.id,
                    iteration=campaign.iteration,
                    candidate=candidate.hash,
                    parameters=each.parameters,
                    purpose=TrialPurpose.RERUN,
                    occasion=each.trial_id,
                )
                for each in specs
            ]
            with self._repository.transaction() as transaction:
                transaction.register_points(campaign.id, points)

        return await self._test.run(suspect, announce)


def seed_of(seed: int, source: str) -> int:
    """Return the seed of a strategy's causality test, which no strategy can choose alone.

    Args:
        seed: Of the campaign or the backtest.
        source: Of the strategy.
    """
    digest = hashlib.sha256(f"{seed}:".encode() + source.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6])


def _nondeterministic(repeated: Repetition) -> CausalityEvidence:
    return CausalityEvidence(
        Outcome.NONDETERMINISTIC, repeated.difference, repetitions=repeated.count
    )


def _judged(
    results: Sequence[TrialResult],
    logs: Sequence["Log"],
    plan: _Plan,
    claims: Sequence[TrialClaim],
) -> CausalityEvidence:
    from stratlab.evaluation.causality import (  # noqa: PLC0415 - keeps start-up fast: numpy
        day_of,
        decided_by,
        first_difference,
    )

    cuts = []
    for cut, following, claim in zip(plan.cuts, plan.following, claims, strict=True):
        original = decided_by(logs[cut.trial], cut.label, following)
        other = decided_by(claim.log, cut.label, following)
        difference = first_difference(original, other, cut.label, following)
        outcome = Outcome.LOOKAHEAD if difference else Outcome.SUCCEEDED
        if claim.outcome is Outcome.PROTOCOL_VIOLATION or (
            claim.outcome in NO_ANSWER and other == original[: len(other)] and difference
        ):
            outcome, difference = claim.outcome, ""
        cuts.append(
            CausalityCut(
                market=results[cut.trial].spec.market.symbols,
                cut=day_of(cut.label),
                reason=cut.reason,
                outcome=outcome,
                compared_orders=len(original),
                first_difference=difference,
            )
        )
    worst = min(cuts, key=_severity, default=None)
    compared = sum(each.compared_orders for each in cuts)
    if worst is None or worst.outcome is Outcome.SUCCEEDED:
        reason = f"{compared} orders were the same in {len(cuts)} worlds with another future"
        return CausalityEvidence(Outcome.SUCCEEDED, reason, tuple(cuts))
    reason = f"the re-run with other prices after {worst.cut} ended with {worst.outcome}"
    if worst.outcome is Outcome.LOOKAHEAD:
        reason = (
            f"with other prices after {worst.cut} another order came before: "
            f"{worst.first_difference}"
        )
    return CausalityEvidence(worst.outcome, reason, tuple(cuts))


def _severity(cut: CausalityCut) -> int:
    # A difference outweighs what could not be compared.
    return {Outcome.LOOKAHEAD: 0, Outcome.SUCCEEDED: 2}.get(cut.outcome, 1)


def _warm_up(log: "Log", plan: _Plan, claims: Sequence[TrialClaim]) -> str | None:
    from stratlab.evaluation.causality import warm_up_difference  # noqa: PLC0415 - numpy

    if not claims or claims[0].outcome in NO_ANSWER:
        return None
    return warm_up_difference(log, claims[0].log, plan.dropped_sessions)


def _delay(result: TrialResult, log: "Log", prices: PricePanel) -> DelayTest:
    from stratlab.evaluation.metrics import compute_metrics  # noqa: PLC0415 - keeps start-up fast
    from stratlab.evaluation.stress import delayed  # noqa: PLC0415 - with the above

    spec = result.spec
    own = result.metrics.sharpe_ratio if result.metrics else None
    try:
        late = delayed(log, prices, spec.window, spec.capital, spec.cost_model)
    except LimitExceededError:  # where late orders stay open for long, a possible log becomes none
        return DelayTest(own, None)
    return DelayTest(own, compute_metrics(late, spec.capital).sharpe_ratio)


def _following(prices: PricePanel, label: int) -> int | None:
    rows = prices.bars[prices.bars > label]
    return int(rows[0]) if len(rows) else None
