"""What models would cost is said before anybody is asked, from what they did cost."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.llm.histories import NOW
from tests.llm.lab_setup import CLAUDE, HYBRID, rules
from tests.suites.small_lab import PanelData, small_lab, small_spec

from stratlab.campaigns.estimate import DEFAULT_MODEL_COST_USD, estimate_campaign
from stratlab.campaigns.replay import new_campaign
from stratlab.domain.campaign import Campaign, CampaignState
from stratlab.domain.spending import Attempt, Bounds, TokenUsage
from stratlab.domain.strategy import GeneratorKind

DATA = PanelData()


def ended(kind: GeneratorKind, lab, iterations: int, micro_usd: int) -> Campaign:
    campaign = lab.repository.create_campaign(
        new_campaign(small_spec(generator=kind), "d", NOW), ""
    )
    attempt = Attempt(campaign.id, "0001/brief", 1)
    ledger = lab.repository.ledger()
    ledger.reserve(attempt, "claude-test", micro_usd, 10, Bounds(), NOW)
    ledger.settle(attempt, micro_usd, TokenUsage(input=10))
    done = replace(campaign, state=CampaignState.COMPLETED, iteration=iterations)
    with lab.repository.transaction() as transaction:
        return transaction.save_campaign(done)


@pytest.mark.parametrize("kind", [HYBRID, CLAUDE])
def test_estimate_without_a_past_is_an_assumption_within_the_bound(
    tmp_path: Path, kind: GeneratorKind
) -> None:
    with small_lab(tmp_path) as lab:
        free = estimate_campaign(
            small_spec(generator=kind, stop_rules=rules(10)), lab.repository, DATA
        )
        bound = estimate_campaign(
            small_spec(generator=kind, stop_rules=rules(10, max_cost_usd=0.1)),
            lab.repository,
            DATA,
        )
    assert free.model_cost_usd == pytest.approx(10 * DEFAULT_MODEL_COST_USD[kind])
    assert (bound.model_cost_usd, bound.measured_model_iterations) == (0.1, 0)


def test_estimate_follows_earlier_campaigns_of_the_same_kind(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        ended(HYBRID, lab, iterations=4, micro_usd=2_000_000)
        found = estimate_campaign(
            small_spec(generator=HYBRID, stop_rules=rules(10)), lab.repository, DATA
        )
        other = estimate_campaign(
            small_spec(generator=CLAUDE, stop_rules=rules(10)), lab.repository, DATA
        )
    assert (found.model_cost_usd, found.measured_model_iterations) == (5.0, 4)
    assert other.measured_model_iterations == 0


def test_generator_that_asks_no_model_costs_nothing(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        found = estimate_campaign(
            small_spec(generator=GeneratorKind.FACTOR_GRAPH), lab.repository, DATA
        )
    assert found.model_cost_usd == 0.0
