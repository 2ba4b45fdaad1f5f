"""A planted key, told by the endpoint in answers and errors, appears in nothing that is written."""

import asyncio
import json
import logging
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.llm.canary import places_with, tables_with
from tests.llm.grammar import a_form, plain_words
from tests.llm.lab_setup import CLAUDE, model_settings, rules
from tests.llm.server import KEY, Fault, Seen, messages_server
from tests.suites.small_lab import small_lab, small_spec

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.campaign import Campaign, CampaignState
from stratlab.generation.authors.forms import ContractForm, contract_document

MARK = "[redacted]"


def author(seen: Seen) -> str:
    # The key wherever a model can write; the second candidate is one that the checks refuse.
    if (words := plain_words(seen, f"The key is {KEY}.")) is not None:
        return words
    form = a_form(random.Random(seen.number)) | {"thesis": f"Trends persist, says {KEY}."}
    form["entry_rules"][0]["note"] = KEY
    structure = {"schema_version": "1.0.0", "version": "1.0.0"}
    contract = load_contract(contract_document(ContractForm.model_validate(form), structure))
    code = f"# {KEY}\n{compile_to_zipline(contract)}"
    if seen.earlier == 0 and len(seen.body["messages"]) == 3:
        form["entry_rules"][0]["when"] = f'close > "{KEY}"'
    return json.dumps({"code": code, "contract": form})


async def paused_and_resumed(lab) -> Campaign:
    await lab.manager.start()
    spec = small_spec(generator=CLAUDE, stop_rules=rules(2))
    campaign = await lab.manager.create(spec, "one")
    while True:
        if lab.repository.get_campaign(campaign.id).state is CampaignState.PAUSED:
            break
        await asyncio.sleep(0.02)
    await lab.manager.resume(campaign.id)
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


def test_key_is_in_no_log_event_cassette_file_or_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refused = iter([Fault.UNAUTHORISED, Fault.RATE_LIMITED])
    with (
        capture_logs() as logs,
        messages_server(author=author, faults=lambda seen: next(refused, None)) as server,
        small_lab(tmp_path, models=model_settings(tmp_path, server)) as lab,
    ):
        campaign = asyncio.run(asyncio.wait_for(paused_and_resumed(lab), 60))
        iterations = lab.repository.list_iterations(campaign.id)
        events = lab.repository.events(campaign.id)
        recordings = lab.repository.cassettes().all(campaign.id)
        sheet = lab.artifacts.get(campaign.id, "tear_sheet.html")
    assert campaign.state is CampaignState.COMPLETED
    # It was told, and everything that keeps what was told keeps the mark in its place.
    assert any(MARK in i.candidate.source for i in iterations if i.candidate)
    assert any(MARK in i.critique.reason for i in iterations if i.critique)
    assert any(MARK in event.payload for event in events)
    assert any(MARK in recording.text for recording in recordings)
    assert any(MARK in recording.request for recording in recordings)
    assert any("MODEL_UNAVAILABLE" in event.payload for event in events)
    assert sheet.size_bytes > 0
    assert logs
    assert KEY not in repr(logs)
    assert KEY not in caplog.text
    assert KEY not in "".join(map(repr, (iterations, events, recordings)))
    assert places_with(KEY, tmp_path) == []


def test_search_finds_what_is_planted(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE texts (text)")
        connection.execute("INSERT INTO texts VALUES (?)", ["x" * 4000 + KEY + "y" * 9000])
    assert tables_with(KEY, tmp_path / "a.db") == ["texts"]
    (tmp_path / "log").write_text(f"the key is {KEY}")
    assert str(tmp_path / "log") in places_with(KEY, tmp_path)
