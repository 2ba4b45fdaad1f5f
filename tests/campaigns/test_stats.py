"""Statistics of a campaign are computed once a revision."""

from pathlib import Path

import pytest
from tests.suites.small_lab import small_lab, small_spec

from stratlab.campaigns import stats as stats_module
from stratlab.campaigns.stats import StatsOfRevisions, campaign_stats
from stratlab.domain.campaign import StopRules


async def test_stats_are_computed_again_only_when_the_campaign_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    def counting(repository: object, campaign_id: str) -> object:
        computed.append(campaign_id)
        return campaign_stats(repository, campaign_id)

    monkeypatch.setattr(stats_module, "campaign_stats", counting)
    with small_lab(tmp_path) as lab:
        spec = small_spec(stop_rules=StopRules(max_iterations=2))
        first = await lab.manager.create(spec, "r1")
        known = StatsOfRevisions(lab.repository, kept=1)
        assert known.of(first).trials == 0
        async for _ in lab.manager.watch(first.id, after=0, include_progress=False):
            pass
        ended = lab.repository.get_campaign(first.id)
        assert known.of(ended) == known.of(ended) == campaign_stats(lab.repository, first.id)
        assert known.of(ended).trials > 0
        assert computed == [first.id] * 2
        second = await lab.manager.create(spec, "r2")
        known.of(second)
        known.of(ended)
        assert computed == [first.id, first.id, second.id, first.id]
        await lab.manager.stop()
