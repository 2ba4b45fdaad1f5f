"""The catalogue cannot drift: registry and image are asked, and what they say is what is told."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.conftest import IMAGE
from tests.contract.page import TARGET, render
from tests.zipline_compat.calls import GROUPS, Status

from stratlab.bootstrap import trusted_jobs
from stratlab.contract import nodes
from stratlab.contract.indicators import REGISTRY, IndicatorKind, ParameterKind
from stratlab.contract.streaming import Sma
from stratlab.domain.errors import EngineError
from stratlab.generation import catalogue
from stratlab.settings import Settings
from stratlab_runner import contract as runner

SANDBOX = {
    "modules": {"numpy": "2.0"},
    "entry_points": ["initialize"],
    "context": ["params"],
    "zipline": {"functions": [{"name": "order", "signature": "(asset)", "summary": "Place."}]},
    "pipeline": {
        "columns": ["close"],
        "factors": [
            {
                "name": "RSI",
                "signature": "",
                "summary": "Strength",
                "inputs": ["close"],
                "window_length": 15,
                "outputs": [],
                "params": [],
            }
        ],
    },
    "lab": {"functions": [], "bracket": []},
}


class Jobs:
    """Stands for the trusted job: one image, and what it wrote."""

    def __init__(self, image: str = "sha256:aa", text: str = json.dumps(SANDBOX)) -> None:
        self.image, self.text, self.runs = image, text, []

    def image_id(self) -> str:
        return self.image

    def run(self, module, *, read, write) -> None:
        self.runs.append(module)
        (write["/output"] / "surface.json").write_text(self.text)


def test_page_is_made_from_the_registries_as_they_are() -> None:
    page = TARGET.read_text(encoding="utf-8")
    assert page == render(page)


def test_new_indicator_is_told_without_a_further_line(monkeypatch) -> None:
    length = {"length": ParameterKind(whole=True, min=2, max=9)}
    kind = IndicatorKind("fresh", Sma, length, ("a", "b"), False, "brand new")
    monkeypatch.setitem(REGISTRY, "fresh", kind)
    told = catalogue.build_catalogue([], None)
    assert "fresh" in [each["name"] for each in told["contract"]["indicators"]]
    assert "- fresh(length whole 2..9) of close or open" in catalogue.prompt_text(told)
    page = TARGET.read_text(encoding="utf-8")
    assert "| `fresh` | `length` 2 to 9 |" in render(page)


def test_prompt_names_everything_of_the_catalogue() -> None:
    told = catalogue.build_catalogue([], SANDBOX)
    prompt = catalogue.prompt_text(told)
    for name in (*REGISTRY, *nodes.FUNCTIONS, *nodes.PRICES, *nodes.POSITION):
        assert name in prompt
    for part in told["contract"]["parts"]:
        assert all(f"- {field['name']}: " in prompt for field in part["fields"])
    assert "numpy 2.0" in prompt
    assert "should_trade, execute" in prompt
    assert "- order(asset): Place." in prompt
    assert "- RSI: Strength (inputs close; window_length 15)" in prompt


def test_surface_is_asked_once_for_each_image(tmp_path: Path) -> None:
    jobs = Jobs()
    assert catalogue.sandbox_surface(tmp_path, jobs) == SANDBOX
    assert catalogue.sandbox_surface(tmp_path, jobs) == SANDBOX
    assert jobs.runs == [catalogue.SURFACE_MODULE]
    jobs.image = "sha256:bb"
    catalogue.sandbox_surface(tmp_path, jobs)
    assert len(jobs.runs) == 2
    assert [path.name for path in (tmp_path / "surfaces").iterdir()] == ["bb.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_surface_that_is_none_is_never_kept(tmp_path: Path, text: str) -> None:
    with pytest.raises(EngineError):
        catalogue.sandbox_surface(tmp_path, Jobs(text=text))
    assert catalogue.sandbox_surface(tmp_path, Jobs()) == SANDBOX


@pytest.fixture(scope="module")
def surface(tmp_path_factory: pytest.TempPathFactory) -> dict:
    home = tmp_path_factory.mktemp("home")
    with trusted_jobs(Settings(home=home)) as jobs:
        return catalogue.sandbox_surface(home, jobs)


@pytest.mark.docker
def test_image_has_what_the_runner_promises(surface: dict) -> None:
    assert set(surface["modules"]) == runner.ALLOWED_MODULES
    assert all(surface["modules"].values())
    assert {each["name"] for each in surface["lab"]["functions"]} == set(runner.LAB_NAMES)
    bracket = {each["name"] for each in surface["lab"]["bracket"]}
    assert bracket == set(runner.BRACKET_ATTRIBUTES)


@pytest.mark.docker
def test_every_name_told_is_one_that_works(surface: dict) -> None:
    told = {**surface["zipline"], **surface["pipeline"]}
    told["api"] = told.pop("functions")
    for key, group in GROUPS.items():
        names = {each["name"] for each in told[key]}
        known = {name for name, call in group.calls.items() if call.status is not Status.REFUSED}
        assert names <= known, key
    working = {
        name
        for name, call in GROUPS["factors"].calls.items()
        if call.status is Status.SUPPORTED and name != "Latest"
    }
    assert {each["name"] for each in told["factors"]} == working


@pytest.mark.docker
def test_every_name_told_can_be_imported_in_the_image(surface: dict) -> None:
    lines = [f"import {name}" for name in surface["modules"]]
    lines += [f"from zipline.api import {each['name']}" for each in surface["zipline"]["functions"]]
    for group in ("factors", "filters", "classifiers"):
        names = ", ".join(each["name"] for each in surface["pipeline"][group])
        lines.append(f"from zipline.pipeline.{group} import {names}")
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint", "python", IMAGE, "-P"]
    done = subprocess.run(
        [*command, "-c", "\n".join(lines)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
