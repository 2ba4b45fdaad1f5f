"""A model's code in real containers: run, compared with its description, replayed in new ones."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.llm.canary import places_with
from tests.llm.grammar import a_form, plain_words
from tests.llm.server import KEY, PRICES, Seen, messages_server

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation.authors.forms import ContractForm, contract_document

pytestmark = pytest.mark.docker

RUN = "from stratlab.cli.main import run; run()"
STRUCTURE = {"schema_version": "1.0.0", "version": "1.0.0"}
MICRO = 1_000_000


def author(seen: Seen) -> str:
    # The key stands wherever a model can write, as if the endpoint had told it.
    if (words := plain_words(seen, f"Trends persist, says {KEY}.")) is not None:
        return words
    form = a_form(random.Random(seen.number)) | {"thesis": f"Trends persist, says {KEY}."}
    contract = load_contract(contract_document(ContractForm.model_validate(form), STRUCTURE))
    return json.dumps({"code": f"# {KEY}\n{compile_to_zipline(contract)}", "contract": form})


def stratlab(environment: dict[str, str], *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments, "--json"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def docker(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False
    ).stdout


class ContainerWatch(threading.Thread):
    """Keeps what the engine says of every member it sees, its environment included."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.members: dict[str, dict] = {}

    def run(self) -> None:
        while not self.ended.wait(0.3):
            names = docker("ps", "-q", "--filter", "label=org.stratlab.kind=member").split()
            if names:
                # One that is gone meanwhile leaves the others in the answer.
                for member in json.loads(docker("inspect", *names)):
                    self.members[member["Id"]] = member


@pytest.mark.timeout(2400)
def test_campaign_of_a_model_runs_in_containers_and_replays_in_others(
    tmp_path: Path, us_daily_home: Path
) -> None:
    names = ("input", "output", "cache_write", "cache_read")
    prices = {
        model: {name: price / MICRO for name, price in zip(names, each, strict=True)}
        for model, each in PRICES.items()
    }
    with messages_server(author=author) as server:
        environment = {
            "STRATLAB_HOME": str(us_daily_home),
            "STRATLAB_STORE__URL": f"sqlite:///{tmp_path / 'stratlab.db'}",
            "STRATLAB_ANTHROPIC_API_KEY": KEY,
            "STRATLAB_LLM__ENDPOINT": server.url,
            "STRATLAB_LLM__MODELS": '["claude-test"]',
            "STRATLAB_LLM__PRICES": json.dumps(prices),
        }
        watch = ContainerWatch()
        watch.start()
        campaign = stratlab(
            environment, "campaign", "run", "--generator", "claude", "--market", "AAPL",
            "--iterations", "2", "--name", "by a model", "--stop", "max_cost_usd=5",
            "--stop", "max_wall_seconds=off",
        )  # fmt: skip
        assert campaign["state"] == "completed", campaign["state_reason"]
        asked = len(server.seen)
        name = campaign["name"].removeprefix("campaigns/")
        replay = stratlab(environment, "campaign", "replay", name)
        watch.ended.set()
        watch.join()
    assert replay["is_identical"], replay["differences"]
    assert len(server.seen) == asked
    # New containers, and as many of them as the first time.
    assert replay["members"] >= 2
    assert replay["shared_members"] == []
    folder = us_daily_home / "reports" / "campaigns" / name
    compared = json.loads((folder / "descriptions" / "iter_1.json").read_text())
    assert compared["fits"], compared
    assert compared["sessions"] > 1000
    assert watch.members
    assert all("Env" in member["Config"] for member in watch.members.values())
    assert KEY not in repr(watch.members)
    # Reports and tear sheets are among what was written, and say what the model said without it.
    for campaign_name in (name, replay["replay"].removeprefix("campaigns/")):
        files = us_daily_home / "reports" / "campaigns" / campaign_name
        assert "[redacted]" in (files / "iterations" / "iter_1.json").read_text()
        assert (files / "tear_sheet.html").stat().st_size > 0
        assert (files / "report.md").stat().st_size > 0
    assert places_with(KEY, us_daily_home, tmp_path) == []
