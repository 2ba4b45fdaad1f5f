"""The backup of docs/deployment.md, made while a campaign runs, gives a home that goes on."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.suites.small_lab import small_lab, small_spec

from stratlab.domain.campaign import CampaignState, StopRules
from stratlab.domain.events import EventKind
from stratlab.store import FileArtifacts, open_repository
from stratlab.store.audit import verify_audit


def back_up(home: Path, target: Path) -> None:
    """As documented: rows first, then the files that they name."""
    target.mkdir()
    with (
        closing(sqlite3.connect(home / "stratlab.db")) as source,
        closing(sqlite3.connect(target / "stratlab.db")) as copy,
    ):
        source.backup(copy)
    shutil.copytree(home / "blobs", target / "blobs")


async def test_backup_of_a_working_home_is_whole_and_its_campaign_continues(tmp_path: Path) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    rules = StopRules(max_iterations=4, max_wall_seconds=None)
    with small_lab(home, seconds=0.1) as lab:
        campaign = await lab.manager.create(small_spec(stop_rules=rules), "r1")
        evaluated = 0
        async for event in lab.manager.watch(campaign.id, after=0, include_progress=False):
            evaluated += event.kind is EventKind.ITERATION_EVALUATED
            if evaluated == 2 and event.kind is EventKind.TRIAL_STARTED:
                back_up(home, copy)
                break
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        undisturbed = lab.repository.get_campaign(campaign.id).result_hash

    with closing(open_repository(f"sqlite:///{copy / 'stratlab.db'}")) as repository:
        assert verify_audit(repository)[campaign.id] > 20
        artifacts = FileArtifacts(copy, repository)
        files = artifacts.list(campaign.id)
        assert files
        for file in files:
            assert sum(map(len, artifacts.read(file))) == file.size_bytes
    with small_lab(copy) as lab:
        await lab.manager.start()
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        restored = lab.repository.get_campaign(campaign.id)
        assert restored.state is CampaignState.COMPLETED
        assert restored.result_hash == undisturbed
