"""Databases that earlier releases wrote open, read, verify and go on with today's code."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.suites.small_lab import CountingGenerator, small_lab

from stratlab.domain.campaign import CampaignState
from stratlab.domain.points import point_digest
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.store import open_repository
from stratlab.store.audit import verify_audit

RELEASES = sorted((Path(__file__).parent / "data").glob("release-*.db"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A home directory whose database an earlier release wrote."""
    shutil.copy(request.param, tmp_path / "stratlab.db")
    return tmp_path


def test_there_is_a_database_of_the_first_release() -> None:
    assert "release-0.1.0" in [path.stem for path in RELEASES]


def test_everything_in_an_old_database_reads(home: Path) -> None:
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        working, ended = repository.list_campaigns()
        assert (ended.spec.display_name, working.spec.display_name) == ("ended", "working")
        assert [campaign.id for campaign in repository.unfinished_campaigns()] == [working.id]
        assert ended.state is CampaignState.COMPLETED
        assert ended.verdict is not None
        assert len(ended.result_hash) == 64
        iterations = repository.list_iterations(ended.id)
        assert [iteration.number for iteration in iterations] == [1, 2, 3, 4, 5]
        assert [bool(iteration.failure) for iteration in iterations] == [0, 0, 0, 1, 0]
        results = [result for iteration in iterations for result in iteration.results]
        assert {result.outcome for result in results} == {Outcome.SUCCEEDED}
        assert all(result.metrics is not None for result in results)
        assert repository.hall_of_fame(ended.id)[0].candidate_hash == ended.verdict.candidate
        assert repository.transitions(ended.id)[-1].to_state is CampaignState.COMPLETED
        names = {artifact.name for artifact in repository.artifacts(ended.id)}
        assert {"report.md", "campaign.json", "audit.jsonl"} <= names
        assert repository.leases().live() == []


def test_audit_chain_of_an_old_database_verifies(home: Path) -> None:
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        counts = verify_audit(repository)
        assert len(counts) == 2
        assert all(count > 30 for count in counts.values())


async def test_campaign_begun_by_an_old_release_is_continued(home: Path) -> None:
    with small_lab(home, generator=CountingGenerator(fail_every=4)) as lab:
        (campaign,) = lab.repository.unfinished_campaigns()
        past = lab.repository.list_iterations(campaign.id, limit=2)
        events = lab.repository.events(campaign.id)
        await lab.manager.start()
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        finished = lab.repository.get_campaign(campaign.id)
        assert finished.state is CampaignState.COMPLETED
        assert finished.iteration == 6
        iterations = lab.repository.list_iterations(campaign.id)
        assert iterations[:2] == past
        # The trials that were running when the old release stopped were run again, behind the
        # smoke run that it did not know.
        assert [result.attempt for result in iterations[2].results] == [1, 2, 2, 1]
        # Their points were registered by the upgrade; running them again is no new search, nor are
        # the sealed replays of the finalist.
        counts = lab.repository.point_counts(campaign.id)
        occasions = [
            point.occasion
            for point in lab.repository.points(campaign.id)
            if point.purpose is TrialPurpose.RERUN
        ]
        assert [occasion.rpartition("/")[2] for occasion in occasions[:2]] == ["2", "2"]
        assert [occasion.rpartition("-")[2] for occasion in occasions[2:]] == ["sealed"] * 2
        # What the old release had admitted without a causality test was put to it.
        assert not any(e.provisional for e in lab.repository.hall_of_fame(campaign.id))
        searched = [
            (iteration.number, point_digest(result.spec.parameters))
            for iteration in iterations
            for result in iteration.results
            if result.spec.purpose is TrialPurpose.SEARCH
        ]
        assert counts[TrialPurpose.SEARCH] == len(set(searched))
        assert lab.repository.events(campaign.id, limit=len(events)) == events
        assert verify_audit(lab.repository, campaign.id)[campaign.id] > len(events)
        names = {artifact.name for artifact in lab.artifacts.list(campaign.id)}
        assert {"iterations/iter_6.json", "report.md"} <= names
