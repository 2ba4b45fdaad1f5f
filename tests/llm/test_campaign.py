"""Campaigns whose author is the local server: they recover, keep their budget and end."""

import asyncio
from pathlib import Path

import pytest
from tests.llm.canary import places_with
from tests.llm.grammar import faults, write
from tests.llm.lab_setup import CLAUDE, HYBRID, model_settings, rules
from tests.llm.server import KEY, messages_server
from tests.suites.small_lab import small_lab, small_spec

from stratlab.campaigns.stats import campaign_stats
from stratlab.domain.campaign import Campaign, CampaignState
from stratlab.domain.strategy import GeneratorKind


async def finished(lab, spec) -> Campaign:
    await lab.manager.start()
    campaign = await lab.manager.create(spec, "one")
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


@pytest.mark.parametrize("kind", [HYBRID, CLAUDE])
def test_campaign_with_faults_recovers_and_completes(
    tmp_path: Path, kind: GeneratorKind, full_size: bool
) -> None:
    iterations = 30 if full_size else 5
    spec = small_spec(generator=kind, stop_rules=rules(iterations))
    with messages_server(author=write, faults=faults) as server:
        settings = model_settings(tmp_path, server)
        with small_lab(tmp_path, models=settings) as lab:
            campaign = asyncio.run(finished(lab, spec))
            found = lab.repository.list_iterations(campaign.id)
            spent = lab.repository.ledger().spent(campaign.id)
            stats = campaign_stats(lab.repository, campaign.id)
            report = b"".join(lab.artifacts.read(lab.artifacts.get(campaign.id, "report.md")))
    assert campaign.state is CampaignState.COMPLETED
    assert campaign.iteration == iterations
    assert (stats.cost_usd, stats.tokens) == (spent.micro_usd / 1e6, spent.tokens)
    assert b"| claude-test |" in report
    written = [i.candidate for i in found if i.candidate and i.candidate.lineage.model]
    assert written
    assert all(candidate.lineage.is_blind for candidate in written)
    assert any(i.evaluation is not None for i in found)
    assert server.faulty
    assert spent.micro_usd >= server.micro_usd > 0
    assert places_with(KEY, tmp_path) == []


def test_campaign_stops_before_it_passes_its_cost_bound(tmp_path: Path) -> None:
    bound = 0.3
    spec = small_spec(generator=HYBRID, stop_rules=rules(50, max_cost_usd=bound))
    with (
        messages_server(author=write) as server,
        small_lab(tmp_path, models=model_settings(tmp_path, server)) as lab,
    ):
        campaign = asyncio.run(finished(lab, spec))
        spent = lab.repository.ledger().spent(campaign.id)
        events = lab.repository.events(campaign.id)
    assert (campaign.state, campaign.state_reason) == (CampaignState.COMPLETED, "COST")
    assert server.micro_usd <= spent.micro_usd <= bound * 1e6
    assert 0 < campaign.iteration < 50
    kinds = [event.kind.value for event in events]
    assert kinds.count("budget_warning") >= 2


def test_campaign_without_a_key_is_paused_and_says_why(tmp_path: Path) -> None:
    spec = small_spec(generator=HYBRID, stop_rules=rules(3))
    settings = model_settings(tmp_path, "http://127.0.0.1:9", key="")
    with small_lab(tmp_path, models=settings) as lab:

        async def paused() -> Campaign:
            await lab.manager.start()
            campaign = await lab.manager.create(spec, "one")
            while True:
                found = lab.repository.get_campaign(campaign.id)
                if found.state is CampaignState.PAUSED:
                    return found
                await asyncio.sleep(0.05)

        campaign = asyncio.run(asyncio.wait_for(paused(), 60))
    assert campaign.state_reason == "MODEL_UNAVAILABLE"
