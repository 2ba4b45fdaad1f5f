"""``stratlab campaign estimate`` and ``stratlab sensitivity``, with a server and without."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.api.fake_lab import FakeMarketData, ServedLab
from tests.api.samples import CHAMPION, campaign_of, iteration_of
from tests.cli.conftest import Ended
from tests.parameters.contracts import contract_of, real, whole

from stratlab.cli.exit_codes import ExitCode
from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import canonical_json
from stratlab.domain.strategy import GeneratorKind, Lineage
from stratlab.domain.trial import TrialPurpose
from stratlab.store import open_repository

Program = Callable[..., Ended]

CONTRACT = contract_of({"level": real(10, 90, 0.5, 50), "other": whole(1, 90, 1, 20)})


@pytest.fixture
def alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a server, whose data sets have made-up prices."""
    monkeypatch.setattr("stratlab.cli.hosting.Catalogue", lambda home: FakeMarketData())
    return home


@pytest.fixture
def contract_file(home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "levels.json"
    path.write_text(canonical_json(CONTRACT))
    return path


def add_champion(repository: object) -> None:
    candidate = candidate_from_contract(CONTRACT, Lineage(GeneratorKind.TEMPLATE, "template"))
    campaign = campaign_of(1)
    repository.create_campaign(campaign, "")
    iteration = iteration_of(campaign.id, 1)
    judged = replace(iteration.evaluation, parameters=dict(candidate.parameters))
    with repository.transaction() as transaction:
        transaction.save_iteration(replace(iteration, candidate=candidate, evaluation=judged))
        transaction.save_hall_of_fame(campaign.id, [CHAMPION])


def test_estimate_is_told_in_words_and_stores_nothing(served: ServedLab, stratlab: Program) -> None:
    ended = stratlab("campaign", "estimate", "--iterations", "50", "--points", "4", "--screen", "9")
    assert ended.code == ExitCode.OK
    assert "200 points would count (N), chosen by the host's screen among 450" in ended.out
    assert "250 backtests, about 16 min 40 s: 4.00 s each, an assumption" in ended.out
    assert "deflated" in ended.out
    assert served.lab.repository.list_campaigns() == []


def test_estimate_without_a_server_reads_file_and_flags(
    alone: Path, stratlab: Program, tmp_path: Path
) -> None:
    (tmp_path / "spec.yaml").write_text(
        "parameter_points: 2\nstop_rules: {max_iterations: 5}\n"
        "parameter_search: {sampler: cmaes, screen_points: 10}\n"
    )
    ended = stratlab(
        *("campaign", "estimate", "--spec", "spec.yaml", "--sampler", "random", "--json")
    )
    assert ended.code == ExitCode.OK
    record = json.loads(ended.out)
    assert record["counted_points"] == 10
    assert record["screened_points"] == 50
    assert record["backtests"] == 15
    assert record["wall_time"] == 60.0
    assert record["expected_maximum_sharpe_ratio"] < record["required_sharpe_ratio"]


@pytest.mark.parametrize("key", ["", "sk-ant-nobody"])
def test_estimate_without_a_generator_is_hybrid_where_there_is_a_key(
    alone: Path, stratlab: Program, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("STRATLAB_ANTHROPIC_API_KEY", key)

    def cost(*generator: str) -> float:
        ended = stratlab("campaign", "estimate", "--iterations", "4", *generator, "--json")
        return float(json.loads(ended.out)["model_cost_usd"])

    assert cost() == cost("--generator", "hybrid" if key else "factor_graph")
    assert (cost() > 0) is bool(key)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--screen", "-1"], "screen_points"),
        (["--sampler", "luck"], "sampler"),
        (["--template", "martingale"], "martingale"),
    ],
)
def test_estimate_of_bad_input_is_usage(
    served: ServedLab, stratlab: Program, arguments: list[str], named: str
) -> None:
    ended = stratlab("campaign", "estimate", *arguments)
    assert ended.code == ExitCode.USAGE
    assert named in ended.err


def test_sensitivity_of_a_file_is_a_heat_map_and_one_number(
    alone: Path, stratlab: Program, contract_file: Path
) -> None:
    ended = stratlab("sensitivity", str(contract_file), "--symbols", "AAPL")
    assert ended.code == ExitCode.OK
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["level", "|", "other", "18", "19", "20", "21", "22"] in rows
    assert [row[0] for row in rows if len(row) == 6 and row[0][0].isdigit()] == [
        *("45", "49.5", "50", "50.5", "55")
    ]
    assert "Around it on average" in ended.out
    assert "25 points in" in ended.out
    assert "registered" not in ended.out
    assert "About the data: Survivors only." in ended.out


def test_sensitivity_as_json_has_the_same_figures(
    served: ServedLab, stratlab: Program, contract_file: Path
) -> None:
    ended = stratlab("sensitivity", str(contract_file), "--data", "synthetic", "--json")
    record = json.loads(ended.out)
    assert record["strategy_id"] == "levels"
    assert record["points"] == 25
    assert record["parameters"] == {"level": 50, "other": 20}
    (heat_map,) = record["heat_maps"]
    assert heat_map["row_values"] == [45.0, 49.5, 50.0, 50.5, 55.0]
    assert len(heat_map["sharpe_ratios"]) == 25
    assert record["mean_change"] >= record["worst_change"]


def test_sensitivity_of_a_campaign_registers_its_points_with_a_server_and_without(
    alone: Path, stratlab: Program
) -> None:
    repository = open_repository(f"sqlite:///{alone / 'stratlab.db'}")
    add_champion(repository)
    ended = stratlab("sensitivity", "c0001")
    assert ended.code == ExitCode.OK
    assert "levels, iteration 1 of campaigns/c0001" in ended.out
    assert "25 newly registered" in ended.out
    assert repository.point_counts("c0001") == {TrialPurpose.SENSITIVITY: 25}
    assert "0 newly registered" in stratlab("sensitivity", "campaigns/c0001").out
    repository.close()


def test_sensitivity_on_a_running_server_is_shown_with_the_campaign(
    served: ServedLab, stratlab: Program
) -> None:
    add_champion(served.lab.repository)
    assert "N = 0 points" in stratlab("campaign", "show", "c0001").out
    assert stratlab("sensitivity", "c0001").code == ExitCode.OK
    shown = stratlab("campaign", "show", "c0001")
    assert "N = 0 points (registered: sensitivity 25)" in shown.out
    record = json.loads(stratlab("campaign", "show", "c0001", "--json").out)
    assert record["stats"]["points"] == {"sensitivity": 25}
    assert record["stats"]["counted_points"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nothing.yaml"], ExitCode.USAGE, "cannot be read"),
        (["c0404"], ExitCode.USAGE, "c0404"),
        (["c0404", "--symbols", "AAPL"], ExitCode.USAGE, "a campaign has its own"),
        (["levels.json", "--iteration", "1"], ExitCode.USAGE, "a contract has none"),
        (["levels.json", "--data", "nothing"], ExitCode.USAGE, "nothing"),
    ],
)
def test_sensitivity_of_bad_input_names_it(
    alone: Path,
    stratlab: Program,
    contract_file: Path,
    arguments: list[str],
    code: ExitCode,
    named: str,
) -> None:
    ended = stratlab("sensitivity", *arguments)
    assert ended.code == code
    assert named in ended.err
