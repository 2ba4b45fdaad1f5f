"""A model's code in real containers: run, compared with its description, replayed in new ones."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.llm.grammar import a_form
from tests.llm.server import KEY, PRICES, Seen, messages_server

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation.authors.forms import ContractForm, contract_document

pytestmark = pytest.mark.docker

RUN = "from stratlab.cli.main import run; run()"
STRUCTURE = {"schema_version": "1.0.0", "version": "1.0.0"}
MICRO = 1_000_000


def author(seen: Seen) -> str:
    dice = random.Random(seen.number)
    match seen.body["output_config"]["format"]["schema"]["title"]:
        case "Brief":
            names = ("thesis", "mechanism", "expected_regime", "invalidation")
            return json.dumps(dict.fromkeys(names, "Trends persist."))
        case "CritiqueForm":
            return json.dumps({"reason": "Trade less."})
    form = a_form(dice)
    contract = load_contract(contract_document(ContractForm.model_validate(form), STRUCTURE))
    return json.dumps({"code": compile_to_zipline(contract), "contract": form})


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


class ContainerWatch(threading.Thread):
    """Keeps what the engine says of every container it sees, its environment included."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.seen = ""

    def run(self) -> None:
        while not self.ended.wait(0.3):
            names = subprocess.run(
                ["docker", "ps", "-q"], capture_output=True, text=True, check=False
            ).stdout.split()
            if names:
                self.seen += subprocess.run(
                    ["docker", "inspect", *names], capture_output=True, text=True, check=False
                ).stdout


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
    assert "stratlab" in watch.seen
    written = [*us_daily_home.rglob("*"), *tmp_path.rglob("*")]
    holding = [path for path in written if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == []
    assert KEY not in watch.seen
