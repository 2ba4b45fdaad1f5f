"""Whole campaigns of the factor graph on a small lab: every part real but market and sandbox."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.campaigns.test_loop import finished
from tests.search.audit import assert_only_novel_and_valid_candidates_ran, payloads
from tests.suites.small_lab import PanelData, ScriptedSandbox, small_lab, small_spec

from stratlab.campaigns.archive_view import archive_cells
from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.stats import campaign_stats
from stratlab.domain.campaign import CampaignState, StopRules
from stratlab.domain.events import EventKind
from stratlab.domain.search import Islands, ParameterSearch
from stratlab.domain.strategy import GeneratorKind
from stratlab.search.operators import OPERATORS


def evolving(iterations: int, **changes: object):
    return small_spec(
        generator=GeneratorKind.FACTOR_GRAPH,
        parameter_search=ParameterSearch(screen_points=0),
        stop_rules=StopRules(max_iterations=iterations, max_wall_seconds=None),
        **changes,
    )


class SameReturns(ScriptedSandbox):
    """Every strategy trades alike."""

    async def run(self, batch, on_progress, judge_first=None):
        trials = tuple(replace(trial, parameters={}) for trial in batch.trials)
        same = replace(batch, source="same", trials=trials)
        return await super().run(same, on_progress, judge_first)


async def test_campaign_evolves_and_only_novel_candidates_run(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(evolving(32), "r"))
        iterations = all_iterations(lab.repository, campaign.id)
        events = lab.repository.events(campaign.id, limit=100_000)
        report = lab.artifacts.get(campaign.id, "report.md")
        text = b"".join(lab.artifacts.read(report)).decode()
        stats = campaign_stats(lab.repository, campaign.id)
    assert campaign.state is CampaignState.COMPLETED
    assert len(assert_only_novel_and_valid_candidates_ran(events, iterations)) >= 28
    lineages = [i.candidate.lineage for i in iterations if i.candidate]
    assert {lineage.operator for lineage in lineages} == {"template", *OPERATORS}
    assert max(lineage.generation for lineage in lineages) >= 3
    assert Counter(lineage.island for lineage in lineages).keys() == {0, 1, 2}
    cells = archive_cells(campaign, iterations)
    assert stats.archive == cells
    assert len(cells) >= 8
    assert "## Islands" in text
    assert "## Lineage of the best candidate" in text
    for payload in payloads(events, EventKind.CANDIDATE_GENERATED):
        assert 0.0 <= payload["similarity"] <= 1.0


async def test_candidate_with_the_returns_of_a_better_elite_gets_no_cell(tmp_path: Path) -> None:
    with small_lab(tmp_path, sandbox=SameReturns(PanelData())) as lab:
        campaign = await finished(lab, await lab.manager.create(evolving(4), "r"))
        first, *others = all_iterations(lab.repository, campaign.id)
        events = lab.repository.events(campaign.id, limit=10_000)
        cells = archive_cells(campaign, [first, *others])
    assert first.candidate is not None
    assert first.duplicate_of == ""
    assert {other.duplicate_of for other in others} == {first.candidate.hash}
    assert [cell.candidate for cell in cells] == [first.candidate.hash]
    marked = [p["duplicate_of"] for p in payloads(events, EventKind.ITERATION_EVALUATED)]
    assert marked == ["", *[first.candidate.hash] * 3]


async def test_campaign_continued_by_another_controller_ends_with_the_same_hash(
    tmp_path: Path,
) -> None:
    hashes = []
    for name, pauses in (("through", 0), ("broken", 5)):
        home = tmp_path / name
        home.mkdir()
        spec = evolving(14, islands=Islands(count=2, migration_interval=2))
        with small_lab(home) as lab:
            campaign = await lab.manager.create(spec, "r")
            if not pauses:
                await finished(lab, campaign)
            await lab.manager.stop()
        for stop in range(pauses):
            with small_lab(home) as lab:
                await lab.manager.start()
                async for event in lab.manager.watch(campaign.id, after=0, include_progress=False):
                    if event.number > 25 * (stop + 1):
                        break
                await lab.manager.stop()
        with small_lab(home) as lab:
            await lab.manager.start()
            hashes.append((await finished(lab, campaign)).result_hash)
    assert hashes[0] == hashes[1]
    assert hashes[0]


async def test_nothing_novel_is_an_iteration_that_failed_for_this_reason(tmp_path: Path) -> None:
    class Repeating:
        def generate(self, request):
            return first.candidate

    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(evolving(1), "r"))
        (first,) = all_iterations(lab.repository, campaign.id)
    home = tmp_path / "again"
    home.mkdir()
    spec = replace(evolving(3), generator=GeneratorKind.TEMPLATE)
    with small_lab(home, generator=Repeating()) as lab:
        campaign = await finished(lab, await lab.manager.create(spec, "r"))
        iterations = all_iterations(lab.repository, campaign.id)
        reasons = [t.reason for t in lab.repository.transitions(campaign.id)]
        seen = {trial.trial_id.split("-")[1] for trial in lab.sandbox.seen}
    assert seen == {"0001"}, "a repetition reached the sandbox"
    assert reasons.count("NOTHING_NOVEL") == 2
    assert [bool(i.candidate) for i in iterations] == [True, False, False]
    assert "repeats that of iteration 1" in iterations[1].failure
