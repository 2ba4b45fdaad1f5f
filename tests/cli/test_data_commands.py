"""`stratlab data add`, `generate` and `remove`: what they show, refuse and build."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.market_data.helpers import DescriptionJobs, small_content
from tests.market_data.imports.builders import sessions, walk, write_folder
from tests.suites.samples import a_campaign

from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.campaign import CampaignState
from stratlab.market_data import Catalogue
from stratlab.market_data.builder import build_data_set
from stratlab.settings import Settings
from stratlab.store import open_repository

OLD_TIERS = "train=1990-01-01:1991-01-01,validation=1992-01-01:1993-01-01"
Program = Callable[..., object]
DAYS = sessions()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "prices", {"AAA": walk(DAYS), "BBB": walk(DAYS, seed=2)})


def test_dry_run_shows_columns_report_and_tiers_and_builds_nothing(
    stratlab: Program, home: Path, folder: Path
) -> None:
    ended = stratlab("data", "add", "mine", str(folder), "--dry-run")
    assert ended.code == 0
    for text in (
        "columns of AAA.csv and 1 more: date = 'Date', open = 'Open'",
        f"{2 * len(DAYS)} bars of 2 symbols: AAA, BBB",
        "note: no splits and no dividends",
        "warm-up from 2010-01-04",
        "train: ",
        "Survivorship: nothing is said",
        "dry run: mine would be built with digest ",
    ):
        assert text in ended.out
    assert Catalogue(home).list() == []


def test_dry_run_in_json_is_one_object(stratlab: Program, folder: Path) -> None:
    ended = stratlab(
        *("data", "add", "mine", str(folder), "--dry-run", "--json"),
        *("--tiers", "50/50", "--warm-up", "10", "--survivorship", "delisted ones are in"),
    )
    found = json.loads(ended.out)
    assert found["columns"]["AAA.csv and 1 more"]["close"] == "Close"
    assert (found["built"], found["refused"], found["bars"]) == (False, False, 2 * len(DAYS))
    assert list(found["tiers"]) == ["train", "validation"]
    assert found["tiers"]["train"]["start"] == str(DAYS[10].date())
    assert found["caveats"][0] == "Survivorship: delisted ones are in."


@pytest.mark.parametrize("extra", [[], ["--dry-run"]])
def test_hard_problems_refuse_and_name_the_line(
    stratlab: Program, home: Path, folder: Path, extra: list[str]
) -> None:
    table = walk(DAYS)
    table.loc[7, "Low"] = -1.0
    table.to_csv(folder / "AAA.csv", index=False)
    ended = stratlab("data", "add", "mine", str(folder), *extra)
    assert ended.code == ExitCode.USAGE
    assert "AAA.csv, line 9" in ended.out
    assert "--repair" in ended.err
    as_json = stratlab("data", "add", "mine", str(folder), "--json", *extra)
    assert as_json.code == ExitCode.USAGE
    found = json.loads(as_json.out)
    assert found["refused"]
    assert [f["code"] for f in found["findings"] if f["severity"] == "hard"] == ["bad_price"]
    assert Catalogue(home).list() == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mine"], "PATH or --yfinance"),
        (["mine", "."], "no CSV or Parquet file"),
        (["mine", "./nowhere"], "there is no"),
        (["us-daily", "."], "comes with stratlab"),
        (["../mine", "."], "cannot name"),
        (["mine", ".", "--yfinance", "AAA"], "PATH or --yfinance"),
        (["mine", "--yfinance", "AAA"], "--start"),
        (["mine", ".", "--format", "xlsx"], "--format"),
        (["mine", ".", "--actions", "guess"], "--actions"),
        (["mine", ".", "--tiers", "1/2/3/4"], "--tiers"),
        (["mine", ".", "--column", "close"], "--column"),
        (["mine", ".", "--lot", "AAA=x"], "--lot"),
        (["mine", "PRICES", "--calendar", "XMARS"], "XMARS"),
        (["mine", "PRICES", "--column", "close=Last"], "no column 'Last'"),
        (["mine", "PRICES", "--lot", "ZZZ=10"], "ZZZ"),
        (["mine", "PRICES", "--tiers", OLD_TIERS], "tier train"),
    ],
)  # fmt: skip
def test_wrong_usage_names_what_is_wrong(
    stratlab: Program, folder: Path, arguments: list[str], named: str
) -> None:
    ended = stratlab("data", "add", *(str(folder) if a == "PRICES" else a for a in arguments))
    assert ended.code == ExitCode.USAGE
    assert named in ended.err


def test_generated_world_is_labelled_in_its_name(stratlab: Program) -> None:
    command = ("data", "generate", "noise", "--symbols", "2", "--years", "2", "--dry-run", "--json")
    found = json.loads(stratlab(*command).out)
    assert found["data_set"] == "synthetic-noise"
    assert any("SYNTHETIC" in caveat for caveat in found["caveats"])
    again = json.loads(stratlab(*command).out)
    assert again["digest"] == found["digest"]
    assert stratlab(*command[:3], "--kind", "magic").code == ExitCode.USAGE


def test_remove_needs_yes_and_refuses_while_a_campaign_is_unfinished(
    stratlab: Program, home: Path
) -> None:
    build_data_set(home, "small", small_content(), DescriptionJobs(), provenance="test")
    ended = stratlab("data", "remove", "small")
    assert ended.code == ExitCode.USAGE
    assert "--yes" in ended.err
    unfinished = a_campaign("c1")
    unfinished = replace(unfinished, spec=replace(unfinished.spec, data_set="small"))
    repository = open_repository(Settings(home=home).store_url)
    repository.create_campaign(unfinished, "")
    ended = stratlab("data", "remove", "small", "--yes")
    assert ended.code == ExitCode.USAGE
    assert "c1" in ended.err
    Catalogue(home).verify("small")
    with repository.transaction() as transaction:
        transaction.save_campaign(replace(unfinished, state=CampaignState.CANCELLED))
    repository.close()
    assert json.loads(stratlab("data", "remove", "small", "--yes", "--json").out)["removed"]
    assert Catalogue(home).list() == []
    assert stratlab("data", "remove", "small", "--yes").code == ExitCode.USAGE
