"""The causality test over a scripted sandbox: what is run, and what is made of the answers."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.suites.fake_sandbox import FakeSandbox
from tests.suites.memory_repository import MemoryRepository
from tests.suites.samples import a_campaign, an_iteration
from tests.suites.small_lab import PanelData

from stratlab.campaigns import rerun
from stratlab.campaigns.causality import CampaignCausality, CausalityTest
from stratlab.campaigns.rerun import Suspect
from stratlab.domain.causality import CausalityBudget
from stratlab.domain.errors import InvalidInputError, SandboxNotReadyError, UnavailableError
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.trial import (
    Engine,
    EquityPoint,
    Limits,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice, window_rows

DATA = PanelData()
BUDGET = CausalityBudget(profit_cuts=3, random_cuts=2)


def spec(tier=Tier.TRAIN):
    data_set = DATA.get("small")
    span = data_set.tiers[tier]
    return TrialSpec(
        trial_id=f"c-{tier}",
        index=0,
        purpose=TrialPurpose.SEARCH,
        market=MarketSet("small", data_set.symbols),
        window=Window(tier, span.start, span.end),
        parameters={},
        capital=100_000.0,
        cost_model=CostModel(),
    )


def bars(trial):
    prices = DATA.prices(trial.market, trial.window.tier)
    return prices.bars[window_rows(prices, trial.window)].tolist()


def log_of(trial, sign=1, first=3):
    labels = bars(trial)[first::4][:10]
    symbol = trial.market.symbols[0]
    return tuple(
        Order(n, bar, Phase.BAR, symbol, sign * (10 if n % 2 else -10), OrderKind.MARKET)
        for n, bar in enumerate(labels, start=1)
    )


def honest(source, trial):
    log, prices = log_of(trial), DATA.prices(trial.market, trial.window.tier)
    own = reprice(log, prices, trial.window, trial.capital, trial.cost_model)
    equity = tuple(map(EquityPoint, own.bars.tolist(), own.equity.tolist()))
    return TrialClaim(trial.trial_id, Outcome.SUCCEEDED, log=log, fills=own.fills, equity=equity)


class Answering:
    """Makes claims of honest trials, except for re-runs that a rule changes."""

    def __init__(self, change=lambda trial, claim: claim):
        self.change = change

    def __call__(self, source, trial):
        return self.change(trial, honest(source, trial))


class Worlds:
    """Names worlds, and remembers whether they are kept."""

    def __init__(self):
        self.open = 0
        self.asked = []

    @contextmanager
    def opened(self, worlds):
        self.asked += worlds
        self.open += 1
        try:
            yield [f"{number:032x}" for number in range(len(worlds))]
        finally:
            self.open -= 1


async def suspect(tiers=(Tier.TRAIN,)):
    results = []
    for tier in tiers:
        trial = spec(tier)
        prices = DATA.prices(trial.market, tier)
        results.append(HostEvaluator().settle(trial, honest("", trial), prices))
    assert {each.outcome for each in results} == {Outcome.SUCCEEDED}
    return Suspect("c", "source", Limits(), "runc", Engine.FAST, tuple(results), 7, lambda _: None)


async def examined(change=lambda trial, claim: claim, tiers=(Tier.TRAIN,), **options):
    sandbox, worlds, announced = FakeSandbox(honest=Answering(change)), Worlds(), []
    test = CausalityTest(DATA, sandbox, worlds, BUDGET, **options)
    evidence = await test.run(await suspect(tiers), announced.extend)
    return evidence, sandbox, worlds, announced


def in_worlds(make):
    return lambda trial, claim: make(trial, claim) if trial.world else claim


async def test_honest_strategy_is_clean_and_every_rerun_has_a_container_of_its_own():
    evidence, sandbox, worlds, announced = await examined()
    assert evidence.outcome is Outcome.SUCCEEDED
    assert len(evidence.cuts) == 5
    assert evidence.repetitions == 1
    assert sum(cut.compared_orders for cut in evidence.cuts) > 0
    assert all(len(batch.trials) == 1 for batch in sandbox.batches)
    assert {batch.trials[0].purpose for batch in sandbox.batches} == {TrialPurpose.RERUN}
    assert [trial.trial_id for trial in announced] == [
        b.trials[0].trial_id for b in sandbox.batches
    ]
    assert worlds.open == 0
    assert evidence.delay.sharpe is not None


async def test_same_seed_asks_for_the_same_worlds():
    one, two = [(await examined())[2].asked for _ in range(2)]
    assert one == two


async def test_cuts_are_spread_over_the_trials_of_both_tiers():
    evidence, _, worlds, _ = await examined(tiers=(Tier.TRAIN, Tier.VALIDATION))
    assert evidence.repetitions == 2
    assert {world.tier for world in worlds.asked} == {Tier.TRAIN, Tier.VALIDATION}


async def test_other_order_before_the_cut_is_lookahead_and_named():
    evidence, *_ = await examined(
        in_worlds(lambda trial, claim: replace(claim, log=log_of(trial, sign=-1)))
    )
    assert evidence.outcome is Outcome.LOOKAHEAD
    first = next(cut for cut in evidence.cuts if cut.outcome is Outcome.LOOKAHEAD)
    assert first.first_difference.startswith("order 1 in bar")
    assert str(first.cut) in evidence.reason
    assert "order 1" in evidence.reason


async def test_orders_after_the_cut_may_be_any():
    def scramble(trial, claim):
        cut = cut_of[trial.world]
        after = [replace(e, amount=e.amount * 2) if e.bar > cut else e for e in claim.log]
        return replace(claim, log=tuple(after))

    cut_of = {}

    class Watched(Worlds):
        @contextmanager
        def opened(self, worlds):
            with super().opened(worlds) as names:
                cut_of.update({n: w.cut or 0 for n, w in zip(names, worlds, strict=True)})
                yield names

    sandbox = FakeSandbox(honest=Answering(in_worlds(scramble)))
    evidence = await CausalityTest(DATA, sandbox, Watched(), BUDGET).run(await suspect())
    assert evidence.outcome is Outcome.SUCCEEDED


async def test_strategy_that_fails_in_a_world_before_the_cut_is_lookahead():
    def fail(trial, claim):
        return replace(claim, outcome=Outcome.STRATEGY_ERROR, log=claim.log[:1])

    evidence, *_ = await examined(in_worlds(fail))
    assert evidence.outcome is Outcome.LOOKAHEAD
    assert "in the re-run nothing" in evidence.reason


async def test_strategy_that_fails_after_the_cut_is_clean():
    evidence, *_ = await examined(
        in_worlds(lambda trial, claim: replace(claim, outcome=Outcome.STRATEGY_ERROR))
    )
    assert evidence.outcome is Outcome.SUCCEEDED


async def test_rerun_that_takes_too_long_is_not_called_a_peek():
    def late(trial, claim):
        return replace(claim, outcome=Outcome.TIMEOUT_WALL, log=claim.log[:1])

    evidence, *_ = await examined(in_worlds(late))
    assert evidence.outcome is Outcome.TIMEOUT_WALL
    assert not evidence.is_clean


async def test_other_orders_on_the_same_data_are_nondeterministic_and_named():
    def drift(trial, claim):
        turn = 10 if trial.trial_id.endswith("third") else 20
        return replace(claim, log=tuple(replace(e, amount=e.amount * turn) for e in claim.log))

    evidence, _, worlds, _ = await examined(drift)
    assert evidence.outcome is Outcome.NONDETERMINISTIC
    assert "order 1" in evidence.reason
    assert worlds.asked == []


async def test_trial_that_fails_the_second_time_is_nondeterministic():
    evidence, *_ = await examined(
        lambda trial, claim: replace(claim, outcome=Outcome.STRATEGY_ERROR, reason="boom")
    )
    assert evidence.outcome is Outcome.NONDETERMINISTIC
    assert "boom" in evidence.reason


async def test_other_orders_on_the_second_runtime_are_nondeterministic():
    def elsewhere(trial, claim):
        return replace(claim, log=claim.log[:-1]) if trial.trial_id.endswith("runsc") else claim

    evidence, *_ = await examined(elsewhere, second_runtime="runsc")
    assert evidence.outcome is Outcome.NONDETERMINISTIC
    assert "on runsc" in evidence.reason
    evidence, sandbox, *_ = await examined(second_runtime="runsc")
    assert evidence.is_clean
    assert evidence.repetitions == 2
    assert [b.runtime for b in sandbox.batches].count("runsc") == 1


async def test_missing_second_runtime_is_left_out():
    class Poor(FakeSandbox):
        async def run(self, batch, on_progress, judge_first=None):
            if batch.runtime == "runsc":
                raise SandboxNotReadyError("there is no runsc")
            return await super().run(batch, on_progress, judge_first)

    test = CausalityTest(DATA, Poor(honest=Answering()), Worlds(), BUDGET, "runsc")
    evidence = await test.run(await suspect())
    assert (evidence.outcome, evidence.repetitions) == (Outcome.SUCCEEDED, 1)


async def test_infrastructure_is_tried_again_and_then_told(monkeypatch):
    monkeypatch.setattr(rerun, "INFRASTRUCTURE_BACKOFF_SECONDS", (0.0, 0.0))
    left = {"c-train-cut01": 2}

    def flaky(trial, claim):
        if left.get(trial.trial_id, 0):
            left[trial.trial_id] -= 1
            return replace(claim, outcome=Outcome.INFRASTRUCTURE, reason="engine", log=())
        return claim

    evidence, *_ = await examined(flaky)
    assert evidence.is_clean
    left["c-train-cut01"] = 99
    with pytest.raises(UnavailableError, match="engine"):
        await examined(flaky)


async def test_nothing_succeeded_nothing_to_test():
    someone = replace(await suspect(), results=())
    with pytest.raises(InvalidInputError):
        await CausalityTest(DATA, FakeSandbox(), Worlds()).run(someone)


async def test_shorter_warm_up_is_reported_not_judged():
    def other(trial, claim):
        return replace(claim, log=claim.log[1:]) if trial.trial_id.endswith("warmup") else claim

    evidence, *_ = await examined(other, tiers=(Tier.VALIDATION,))
    assert evidence.is_clean
    assert "1 of 7 bars" in evidence.warm_up_difference
    same, *_ = await examined(tiers=(Tier.VALIDATION,))
    assert same.warm_up_difference == ""


async def test_reruns_of_campaigns_are_registered_and_not_counted():
    repository, someone = MemoryRepository(), await suspect()
    campaign = repository.create_campaign(replace(a_campaign(), iteration=1), "")
    candidate = an_iteration().candidate
    test = CausalityTest(DATA, FakeSandbox(honest=Answering()), Worlds(), BUDGET)
    evidence = await CampaignCausality(test, repository).examine(
        campaign, candidate, someone.results
    )
    assert evidence.is_clean
    counts = repository.point_counts(campaign.id)
    assert set(counts) == {TrialPurpose.RERUN}
    assert counts[TrialPurpose.RERUN] >= 1 + len(evidence.cuts)
    await CampaignCausality(test, repository).examine(campaign, candidate, someone.results)
    assert repository.point_counts(campaign.id) == counts
