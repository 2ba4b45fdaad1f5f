"""Free code is compared with what its author says that it does."""

import asyncio
import json
import random
from pathlib import Path

from tests.llm.grammar import a_form, plain_words
from tests.llm.lab_setup import CLAUDE, model_settings, rules
from tests.llm.server import Seen, messages_server
from tests.llm.test_campaign import finished
from tests.suites.small_lab import PanelData, ScriptedSandbox, small_lab, small_spec

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation.authors.forms import ContractForm, contract_document

FORM = a_form(random.Random(3))
CONTRACT = load_contract(
    contract_document(
        ContractForm.model_validate(FORM), {"schema_version": "1.0.0", "version": "1.0.0"}
    )
)


def author(seen: Seen) -> str:
    if (words := plain_words(seen, "Trends persist.")) is not None:
        return words
    return json.dumps({"code": compile_to_zipline(CONTRACT), "contract": FORM})


def test_code_that_does_something_else_is_told_from_its_description(tmp_path: Path) -> None:
    # The scripted sandbox trades at random, whatever the code says.
    spec = small_spec(generator=CLAUDE, stop_rules=rules(1))
    with (
        messages_server(author=author) as server,
        small_lab(
            tmp_path,
            models=model_settings(tmp_path, server),
            sandbox=ScriptedSandbox(PanelData()),
        ) as lab,
    ):
        campaign = asyncio.run(finished(lab, spec))
        artifact = lab.artifacts.get(campaign.id, "descriptions/iter_1.json")
        found = json.loads(b"".join(lab.artifacts.read(artifact)))
        report = b"".join(lab.artifacts.read(lab.artifacts.get(campaign.id, "report.md")))
        patch = lab.artifacts.get(campaign.id, "patches/iter_1.diff")
        (iteration,) = lab.repository.list_iterations(campaign.id)
    assert not found["fits"]
    assert found["problem"] == ""
    assert 0 < found["differing"] <= found["sessions"] == 50
    assert found["first_difference"] >= "2020-01-15"
    row = f"| 1 | 50 | {found['differing']} | {found['first_difference']} | {found['trades']} |"
    assert row.encode() in report
    assert patch.size_bytes > 0
    assert iteration.candidate.described_by
    assert iteration.candidate.contract == ""
