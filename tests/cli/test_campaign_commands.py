"""``stratlab campaign`` against a real server."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.api.fake_lab import ServedLab
from tests.api.samples import CHAMPION, VERDICT, campaign_of, iteration_of
from tests.cli.conftest import Ended

from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.campaign import CampaignState
from stratlab.domain.gates import RuleResult, RuleStatus, VerdictKind

Program = Callable[..., Ended]


def add_campaign(served: ServedLab, iterations: int = 0) -> None:
    repository = served.lab.repository
    repository.create_campaign(campaign_of(1), "r1")
    for number in range(1, iterations + 1):
        iteration = iteration_of("c0001", number)
        with repository.transaction() as transaction:
            transaction.save_iteration(iteration)
            for result in iteration.results:
                transaction.save_result("c0001", number, result)


def complete(served: ServedLab, kind: VerdictKind = VerdictKind.ITERATE) -> None:
    def finish() -> None:
        manager = served.lab.manager
        manager.move("c0001", CampaignState.BRIEF_GENERATED, iteration=2)
        manager.move("c0001", CampaignState.CAMPAIGN_EVALUATED)
        with served.lab.repository.transaction() as transaction:
            transaction.save_hall_of_fame("c0001", [CHAMPION])
        verdict = replace(VERDICT, kind=kind)
        manager.move("c0001", CampaignState.COMPLETED, verdict=verdict, result_hash="f" * 64)

    served.call(finish)


def complete_soon(served: ServedLab, kind: VerdictKind = VerdictKind.ITERATE) -> threading.Thread:
    def work() -> None:
        deadline = time.monotonic() + 10
        while not served.lab.manager.created and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        complete(served, kind)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_create_prints_the_id_and_sends_flags_over_the_file(
    served: ServedLab, stratlab: Program, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "display_name: from file\nseed: 1\ngates:\n  max_turnover: null\n  min_sharpe_ratio: 1\n"
        "markets: [[AAPL], [IBM, MSFT]]\nstop_rules: {max_iterations: 3}\n"
    )
    ended = stratlab(
        *("campaign", "create", "--spec", str(spec), "--seed", "7", "--gate", "max_drawdown=0.2"),
        *("--stop", "max_consecutive_failures=off", "--cost-model", "next_open"),
    )
    assert (ended.code, ended.out) == (0, "c0001\n")
    (created,) = served.lab.manager.created
    assert created.display_name == "from file"
    assert created.seed == 7
    assert created.markets == (("AAPL",), ("IBM", "MSFT"))
    assert created.gates.max_turnover is None
    assert created.gates.min_sharpe_ratio == 1.0
    assert created.gates.max_drawdown == 0.2
    assert created.stop_rules.max_iterations == 3
    assert created.stop_rules.max_consecutive_failures is None
    assert created.cost_model.kind == "next_open"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--capital", "-1"], "capital"),
        (["--capital", "nan"], "capital"),
        (["--generator", "oracle"], "generator"),
        (["--market", "../etc"], "markets"),
        (["--iterations", "0"], "max_iterations"),
        (["--gate", "speed=1"], "gates.speed"),
        (["--gate", "max_drawdown"], "--gate"),
        (["--gate", "max_drawdown=1e999"], "--gate"),
        (["--stop", "max_iterations=1,max_iterations=2"], "twice"),
        (["--seed", "x"], "seed"),
        (["--template", "martingale"], "martingale"),
        (["--cost-model", "zipline"], "next_open"),
        (["--spec", "/nonexistent.yaml"], "cannot be read"),
    ],
)
def test_create_bad_input_is_usage_and_names_the_field(
    served: ServedLab, stratlab: Program, arguments: list[str], named: str
) -> None:
    ended = stratlab("campaign", "create", *arguments)
    assert ended.code == ExitCode.USAGE
    assert named in ended.err
    assert ended.out == ""
    assert not served.lab.manager.created


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a: [", "\t- x", "seed: !!python/object:os.system {}", "[" * 5000, "1: 2"]
)
def test_create_spec_file_that_is_no_mapping_is_usage(
    stratlab: Program, tmp_path: Path, text: str
) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    assert stratlab("campaign", "create", "--spec", "spec.yaml").code == ExitCode.USAGE
    (tmp_path / "spec.json").write_text(text)
    assert stratlab("campaign", "create", "--spec", "spec.json").code == ExitCode.USAGE


def test_shown_spec_creates_the_same_campaign_again(
    served: ServedLab, stratlab: Program, tmp_path: Path
) -> None:
    flags = ("--gate", "max_drawdown=off", "--stop", "max_iterations=off", "--market", "IBM")
    assert stratlab("campaign", "create", *flags).code == 0
    shown = json.loads(stratlab("campaign", "show", "c0001", "--json").out)
    (tmp_path / "again.json").write_text(json.dumps(shown["spec"]))
    assert stratlab("campaign", "create", "--spec", "again.json").code == 0
    first, second = served.lab.manager.created
    assert first == second


@pytest.mark.parametrize(
    ("kind", "code"),
    [(VerdictKind.ITERATE, 0), (VerdictKind.PROMOTE_CANDIDATE, 0), (VerdictKind.REJECT, 1)],
)
def test_run_follows_to_the_verdict(
    served: ServedLab, stratlab: Program, kind: VerdictKind, code: int
) -> None:
    thread = complete_soon(served, kind)
    ended = stratlab("campaign", "run", "--name", "demo", "--iterations", "2")
    thread.join()
    assert ended.code == code
    assert f"Verdict: {kind.value}" in ended.out
    assert "Some checks are missing." in ended.out
    assert "causality, holdout" in ended.out
    assert "state completed" in ended.err


def test_run_json_is_one_object_on_stdout(served: ServedLab, stratlab: Program) -> None:
    thread = complete_soon(served)
    ended = stratlab("campaign", "run", "--json")
    thread.join()
    record = json.loads(ended.out)
    assert record["state"] == "completed"
    assert record["verdict"]["kind"] == "iterate"
    assert record["hall_of_fame"][0]["rank"] == "champion"
    assert record["iterations"] == []
    assert ended.code == 0


def test_run_paused_by_a_missing_engine_ends_with_infrastructure(
    served: ServedLab, stratlab: Program
) -> None:
    def pause() -> None:
        deadline = time.monotonic() + 10
        while not served.lab.manager.created and time.monotonic() < deadline:
            time.sleep(0.01)
        served.call(served.lab.manager.move, "c0001", CampaignState.PAUSED)

    thread = threading.Thread(target=pause)
    thread.start()
    ended = stratlab("campaign", "run")
    thread.join()
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert "paused (TEST)" in ended.out


def test_list_and_show_work_with_and_without_a_server(served: ServedLab, stratlab: Program) -> None:
    add_campaign(served, iterations=2)
    complete(served)
    with_server = [
        stratlab("campaign", "list", "--json").out,
        stratlab("campaign", "show", "c0001", "--json").out,
        stratlab("campaign", "show", "c0001").out,
    ]
    served.close()
    without = [
        stratlab("campaign", "list", "--json").out,
        stratlab("campaign", "show", "campaigns/c0001", "--json").out,
        stratlab("campaign", "show", "c0001").out,
    ]
    # The lab of this test has its data in memory, so only it can tell what to know about them.
    assert with_server[0] == without[0]
    assert json.loads(with_server[1]) | {"caveats": []} == json.loads(without[1]) | {"caveats": []}
    assert _about_the_campaign(with_server[2]) == _about_the_campaign(without[2])
    (listed,) = json.loads(with_server[0])
    assert listed["name"] == "campaigns/c0001"
    shown = json.loads(with_server[1])
    assert [iteration["number"] for iteration in shown["iterations"]] == [1, 2]
    assert shown["iterations"][0]["evaluation"]["score"] == 0.6
    assert shown["iterations"][0]["trials"][0]["outcome"] == "SUCCEEDED"
    assert shown["stats"]["trials"] == 2
    for word in ("ema_cross_atr", "sharpe_ratio", "benchmark", "Verdict: iterate"):
        assert word in with_server[2]


def test_watch_json_prints_every_event_once(served: ServedLab, stratlab: Program) -> None:
    add_campaign(served)
    complete(served)
    ended = stratlab("campaign", "watch", "c0001", "--json")
    events = [json.loads(line)["event"] for line in ended.out.splitlines()]
    assert [event["number"] for event in events] == [1, 2, 3, 4]
    assert events[-1]["payload"]["to"] == "completed"
    skipped = stratlab("campaign", "watch", "c0001", "--json", "--after", "3")
    assert len(skipped.out.splitlines()) == 1


def test_steering_prints_the_state_and_refuses_a_final_campaign(
    served: ServedLab, stratlab: Program
) -> None:
    add_campaign(served)
    assert "paused" in stratlab("campaign", "pause", "c0001").out
    assert json.loads(stratlab("campaign", "resume", "c0001", "--json").out)["state"] == "queued"
    assert "cancelled" in stratlab("campaign", "cancel", "c0001").out
    ended = stratlab("campaign", "cancel", "c0001", "--json")
    assert ended.code == ExitCode.USAGE
    assert json.loads(ended.out)["error"]["type"] == "WRONG_STATE"


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "watch"])
def test_steering_without_a_server_says_how_to_start_one(stratlab: Program, command: str) -> None:
    ended = stratlab("campaign", command, "c0001")
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert "stratlab serve" in ended.err


def _about_the_campaign(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("About the data")]


def test_open_holdout_prints_the_rules_of_the_new_verdict(
    served: ServedLab, stratlab: Program
) -> None:
    served.lab.repository.create_campaign(campaign_of(1), "r1")
    rules = (
        RuleResult("causality", RuleStatus.PASSED, 0.0, 0.0, "12 re-runs"),
        RuleResult("holdout", RuleStatus.FAILED, -0.25, 0.0, "96 sessions"),
    )
    verdict = replace(VERDICT, kind=VerdictKind.REJECT, rules=rules)
    for state in (CampaignState.BRIEF_GENERATED, CampaignState.CAMPAIGN_EVALUATED):
        served.call(served.lab.manager.move, "c0001", state)
    completed = partial(served.lab.manager.move, "c0001", CampaignState.COMPLETED, verdict=verdict)
    served.call(completed)
    ended = stratlab("campaign", "open-holdout", "c0001", "--iteration", "2")
    assert served.lab.manager.opened == [("c0001", "owner", 2)]
    assert ended.code == 1
    assert "Verdict: reject" in ended.out
    row = next(line for line in ended.out.splitlines() if line.startswith("holdout"))
    assert row.split()[:4] == ["holdout", "failed", "-0.2500", "0"]
