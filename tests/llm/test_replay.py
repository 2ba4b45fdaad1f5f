"""A replay needs no endpoint, gives the same result, and names what does not."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.llm.grammar import faults, write
from tests.llm.lab_setup import CLAUDE, HYBRID, model_settings, rules
from tests.llm.server import messages_server
from tests.llm.test_campaign import finished
from tests.suites.small_lab import small_lab, small_spec

from stratlab.campaigns.replay import FILE_NAME, Comparison, compare
from stratlab.domain.campaign import Campaign, CampaignState
from stratlab.domain.errors import WrongStateError
from stratlab.domain.strategy import GeneratorKind

NOBODY = "http://127.0.0.1:9"


async def replayed(lab, original: str, request: str = "again") -> Campaign:
    replay = await lab.manager.replay(original, request)
    async for _ in lab.manager.watch(replay.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(replay.id)


def comparison(lab, replay: Campaign) -> dict:
    artifact = lab.artifacts.get(replay.id, FILE_NAME)
    return json.loads(b"".join(lab.artifacts.read(artifact)))


def compared_in_one_container(lab, *campaigns: Campaign) -> Comparison:
    """Compare a campaign with its replay as if both had used the same container."""
    for each in campaigns:
        (first, *_) = (i for i in lab.repository.list_iterations(each.id) if i.results)
        result = first.results[0]
        ran = replace(result, sandbox=replace(result.sandbox, member_id="m1"))
        with lab.repository.transaction() as transaction:
            transaction.save_result(each.id, first.number, ran)
    return compare(lab.repository, campaigns[-1])


def copied(original: tuple[Path, Campaign], folder: Path) -> tuple[Path, Campaign]:
    """Return a home of the same content that a test may change; "again" may be used up in it."""
    home, campaign = original
    return Path(shutil.copytree(home, folder / "home")), campaign


@pytest.fixture(scope="module", params=[HYBRID, CLAUDE])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A home with a completed campaign, stopped by its cost or its iterations."""
    kind: GeneratorKind = request.param
    home = tmp_path_factory.mktemp(kind.value)
    spec = small_spec(generator=kind, stop_rules=rules(4, max_cost_usd=5.0))
    with (
        messages_server(author=write, faults=faults) as server,
        small_lab(home, models=model_settings(home, server)) as lab,
    ):
        campaign = asyncio.run(finished(lab, spec))
    return home, campaign


def test_replay_without_an_endpoint_is_identical(original) -> None:
    home, campaign = original
    with small_lab(home, models=model_settings(home, NOBODY, key="")) as lab:
        replay = asyncio.run(replayed(lab, campaign.id))
        found = comparison(lab, replay)
        spent = lab.repository.ledger().spent(replay.id)
        batches = lab.sandbox.calls
    assert replay.state is CampaignState.COMPLETED
    assert replay.replay_of == campaign.id
    assert replay.result_hash == campaign.result_hash
    assert found["is_identical"]
    assert found["iterations"] == campaign.iteration
    assert found["differences"] == []
    assert batches > 0  # everything was run again
    assert spent.calls == 0


def test_replay_reads_no_result_of_the_original_and_names_the_one_that_differs(
    original, tmp_path: Path
) -> None:
    home, campaign = copied(original, tmp_path)
    with closing(sqlite3.connect(home / "stratlab.db")) as connection, connection:
        iteration, trial, document = connection.execute(
            "SELECT iteration, trial_id, document FROM results WHERE campaign_id = ?"
            " AND purpose = 'search' ORDER BY iteration DESC, trial_index LIMIT 1",
            [campaign.id],
        ).fetchone()
        stored = json.loads(document) | {"orders_digest": "0" * 64}
        connection.execute(
            "UPDATE results SET document = ? WHERE trial_id = ?", [json.dumps(stored), trial]
        )
    with small_lab(home, models=model_settings(home, NOBODY, key="")) as lab:
        replay = asyncio.run(replayed(lab, campaign.id, "once more"))
        found = comparison(lab, replay)
        shared = compared_in_one_container(lab, campaign, replay)
    # What it did is what the original did, not what is now said to have happened.
    assert replay.result_hash == campaign.result_hash
    assert not found["is_identical"]
    (difference,) = found["differences"]
    assert (difference["iteration"], difference["part"]) == (iteration, "trials")
    assert len({difference["original"], difference["replay"]}) == 2
    # Nor is one identical that ran where the original had run, whatever it did there.
    assert shared.shared_members == ("m1",)
    assert not replace(shared, differences=()).is_identical


def test_recording_that_was_changed_is_named_by_its_iteration(original, tmp_path: Path) -> None:
    home, campaign = copied(original, tmp_path)
    with closing(sqlite3.connect(home / "stratlab.db")) as connection, connection:
        rows = connection.execute(
            "SELECT digest, call, document FROM recordings WHERE campaign_id = ?"
            " AND kind = 'answer' AND (call LIKE '%/contract' OR call LIKE '%/code') ORDER BY call",
            [campaign.id],
        ).fetchall()
        digest, call, document = rows[-1]
        recording = json.loads(document) | {"text": "nothing that can be used"}
        connection.execute(
            "UPDATE recordings SET document = ? WHERE campaign_id = ? AND digest = ?",
            [json.dumps(recording), campaign.id, digest],
        )
    with small_lab(home, models=model_settings(home, NOBODY, key="")) as lab:
        replay = asyncio.run(replayed(lab, campaign.id, "once more"))
        found = comparison(lab, replay)
    assert not found["is_identical"]
    assert found["differences"][0]["iteration"] == int(call.partition("/")[0])
    assert found["differences"][0]["part"] in {"candidate", "failure"}


def test_campaign_that_is_not_completed_is_not_replayed(tmp_path: Path) -> None:
    async def cancelled(lab) -> None:
        campaign = await lab.manager.create(small_spec(), "one")
        await lab.manager.cancel(campaign.id)
        await lab.manager.replay(campaign.id, "again")

    with small_lab(tmp_path, seconds=5.0) as lab, pytest.raises(WrongStateError):
        asyncio.run(cancelled(lab))
