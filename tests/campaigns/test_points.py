"""The registry of a campaign's points: what is in it, what counts, and that it is in the chain."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.parameters.contracts import contract_of, real, whole
from tests.suites.small_lab import CountingGenerator, SmallLab, small_lab, small_spec

from stratlab.campaigns.stats import campaign_stats
from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.space import point_key
from stratlab.domain.campaign import Campaign, CampaignSpec, StopRules
from stratlab.domain.events import EventKind
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.points import Point, registry_digest
from stratlab.domain.search import ParameterSearch, Sampler
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import Outcome, TrialPurpose

SCREENED, POINTS, ITERATIONS = 40, 3, 3


class LevelGenerator:
    """The same strategy with other default values in each iteration."""

    def generate(self, request: GenerationRequest) -> Candidate:
        contract = contract_of(
            {"level": real(40, 60, 0.1, 45.0 + request.iteration), "other": whole(1, 40, 1, 20)}
        )
        return candidate_from_contract(contract, Lineage(GeneratorKind.TEMPLATE, "vary"))


def screening_spec(**changes: object) -> CampaignSpec:
    return small_spec(
        parameter_points=POINTS,
        parameter_search=ParameterSearch(Sampler.TPE, SCREENED),
        stop_rules=StopRules(max_iterations=ITERATIONS, max_wall_seconds=None),
        **changes,
    )


async def finished(lab: SmallLab, spec: CampaignSpec) -> Campaign:
    campaign = await lab.manager.create(spec, "r")
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


def of(points: list[Point], purpose: TrialPurpose) -> list[Point]:
    return [point for point in points if point.purpose is purpose]


async def test_screened_and_searched_points_are_registered_and_only_the_latter_count(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, generator=LevelGenerator()) as lab:
        campaign = await finished(lab, screening_spec())
        points = list(lab.repository.points(campaign.id))
        screened, searched = of(points, TrialPurpose.SCREEN), of(points, TrialPurpose.SEARCH)
        assert len(screened) == SCREENED * ITERATIONS
        assert len(searched) == POINTS * ITERATIONS
        assert len(of(points, TrialPurpose.SMOKE)) == ITERATIONS
        # Candidates that passed every gate were put to the causality test.
        reruns = of(points, TrialPurpose.RERUN)
        assert len(points) == len(screened) + len(searched) + ITERATIONS + len(reruns)
        known = {(point.candidate, point_key(point.parameters)): point.score for point in screened}
        for number in range(1, ITERATIONS + 1):
            # The best of what was screened, and no other.
            ran = [point for point in searched if point.iteration == number]
            candidate = ran[0].candidate
            scores = [known[candidate, point_key(point.parameters)] for point in ran]
            others = [score or 0.0 for (other, _), score in known.items() if other == candidate]
            assert scores == sorted(set(others), reverse=True)[:POINTS]
        # The iterations differ in their default values only, so no point ran a second time.
        assert len({point_key(point.parameters) for point in searched}) == len(searched)
        stats = campaign_stats(lab.repository, campaign.id)
        assert stats.counted_points == POINTS * ITERATIONS
        assert stats.points == {"search": 9, "screen": 120, "smoke": 3, "rerun": len(reruns)}
        report = b"".join(lab.artifacts.read(lab.artifacts.get(campaign.id, "report.md"))).decode()
        assert "N = 9 distinct points" in report
        assert "registered: search 9, screen 120, smoke 3" in report
        trials = {
            point_key(result.spec.parameters)
            for iteration in lab.repository.list_iterations(campaign.id)
            for result in iteration.results
        }
        assert trials == {point_key(point.parameters) for point in searched}


async def test_audit_chain_holds_the_digest_of_what_was_screened(tmp_path: Path) -> None:
    with small_lab(tmp_path, generator=LevelGenerator()) as lab:
        campaign = await finished(lab, screening_spec())
        points = of(list(lab.repository.points(campaign.id)), TrialPurpose.SCREEN)
        told = [
            json.loads(event.payload)["screened"]
            for event in lab.repository.events(campaign.id)
            if event.kind is EventKind.CANDIDATE_GENERATED
        ]
        assert told == [
            {
                "points": SCREENED,
                "digest": registry_digest([p for p in points if p.iteration == number]),
            }
            for number in range(1, ITERATIONS + 1)
        ]


async def test_same_seed_registers_the_same_points(tmp_path: Path) -> None:
    registries = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        with small_lab(tmp_path / name, generator=LevelGenerator()) as lab:
            campaign = await finished(lab, screening_spec(seed=seed))
            points = lab.repository.points(campaign.id)
            bare = [
                replace(p, campaign_id="", occasion=p.occasion.removeprefix(campaign.id))
                for p in points
            ]
            registries.append((bare, campaign.result_hash))
    assert registries[0] == registries[1]
    assert registries[0] != registries[2]


async def test_failed_points_count_and_lost_ones_are_run_again_without_counting_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stratlab.campaigns.iteration_trials.INFRASTRUCTURE_BACKOFF_SECONDS", (0.0, 0.0)
    )
    lost: set[str] = set()

    def script(call: int, trial: object) -> Outcome | None:
        if trial.purpose is not TrialPurpose.SEARCH:
            return None
        if trial.parameters["n"] > 0:
            return Outcome.STRATEGY_ERROR
        if trial.trial_id not in lost:
            lost.add(trial.trial_id)
            return Outcome.INFRASTRUCTURE
        return None

    with small_lab(tmp_path, generator=CountingGenerator(), script=script) as lab:
        rules = StopRules(max_iterations=2, max_wall_seconds=None)
        campaign = await finished(lab, small_spec(stop_rules=rules))
        points = list(lab.repository.points(campaign.id))
        assert len(of(points, TrialPurpose.SEARCH)) == 4
        # Those of an examination name no attempt.
        reruns = [p for p in of(points, TrialPurpose.RERUN) if "/" in p.occasion]
        # A train trial and a validation trial of each iteration.
        assert sorted(point.occasion for point in reruns) == sorted(f"{name}/2" for name in lost)
        assert len(reruns) == 4
        assert campaign_stats(lab.repository, campaign.id).counted_points == 4
