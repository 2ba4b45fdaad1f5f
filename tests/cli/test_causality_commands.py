"""``backtest --causality`` and ``validate --causality``: requests, output, exit codes, findings."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from tests.api.fake_lab import ServedLab
from tests.api.samples import RESULT
from tests.cli.conftest import Ended

from stratlab.campaigns.backtest import BacktestReport
from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.examination import CausalityCut, CausalityEvidence, CutReason, DelayTest
from stratlab.domain.metrics import AnnualSharpe
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import Limits, Outcome

Program = Callable[..., Ended]
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "backtest.schema.json").read_text()
)
SOURCE = "def initialize(context):\n    pass\n"
CLEAN = CausalityEvidence(
    Outcome.SUCCEEDED,
    "40 orders were the same in 1 worlds with another future",
    (CausalityCut(("AAPL",), date(2003, 1, 2), CutReason.PROFIT, Outcome.SUCCEEDED, 40),),
    repetitions=1,
    delay=DelayTest(AnnualSharpe(1.0), AnnualSharpe(0.8)),
    warm_up_difference="",
)
WHY = "with other prices after 2003-01-02 another order came before: order 3 in bar 2003-01-02"
DIRTY = replace(
    CLEAN,
    outcome=Outcome.LOOKAHEAD,
    reason=WHY,
    cuts=(replace(CLEAN.cuts[0], outcome=Outcome.LOOKAHEAD, first_difference="order 3"),),
)


def report(evidence: CausalityEvidence) -> BacktestReport:
    result = RESULT
    if not evidence.is_clean:
        result = replace(
            RESULT,
            outcome=evidence.outcome,
            reason=evidence.reason,
            metrics=None,
            benchmark_metrics=None,
        )
    return BacktestReport(result, ScreeningReport(), Limits(), causality=evidence)


@pytest.fixture
def strategy(home: Path, tmp_path: Path) -> str:
    (tmp_path / "strategy.py").write_text(SOURCE)
    return "strategy.py"


def test_backtest_asks_for_the_test_and_tells_what_was_compared(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    served.lab.backtester.report = report(CLEAN)
    ended = stratlab("backtest", strategy, "--causality", "--json")
    record = json.loads(ended.out)
    jsonschema.validate(record, SCHEMA)
    assert ended.code == ExitCode.OK
    assert served.lab.backtester.requests[-1].causality
    assert record["causality"]["outcome"] == "SUCCEEDED"
    assert record["causality"]["cuts"] == [
        {
            "cut": "2003-01-02",
            "reason": "profit",
            "outcome": "SUCCEEDED",
            "compared_orders": 40,
            "first_difference": "",
        }
    ]
    assert record["causality"]["delayed_sharpe_ratio"] == 0.8
    assert record["causality"]["warm_up_difference"] == ""
    shown = stratlab("backtest", strategy, "--causality").out
    assert "Causality: SUCCEEDED" in shown
    assert "one bar late: 0.80" in shown


def test_backtest_without_the_option_makes_no_test(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    served.lab.backtester.report = BacktestReport(RESULT, ScreeningReport(), Limits())
    record = json.loads(stratlab("backtest", strategy, "--json").out)
    jsonschema.validate(record, SCHEMA)
    assert record["causality"] is None
    assert not served.lab.backtester.requests[-1].causality


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.LOOKAHEAD, ExitCode.INTEGRITY),
        (Outcome.NONDETERMINISTIC, ExitCode.STRATEGY),
        (Outcome.TIMEOUT_CPU, ExitCode.STRATEGY),
    ],
)
def test_backtest_that_is_not_clean_has_that_outcome_and_no_metrics(
    served: ServedLab, stratlab: Program, strategy: str, outcome: Outcome, code: ExitCode
) -> None:
    served.lab.backtester.report = report(replace(DIRTY, outcome=outcome))
    ended = stratlab("backtest", strategy, "--causality", "--json")
    record = json.loads(ended.out)
    jsonschema.validate(record, SCHEMA)
    assert ended.code == code
    assert record["outcome"] == outcome.value
    assert record["reason"] == WHY
    assert record["metrics"] is None


def test_validate_makes_findings_of_it_in_every_form(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    served.lab.backtester.report = report(DIRTY)
    ended = stratlab("validate", strategy, "--causality", "--json", "--symbols", "AAPL")
    record = json.loads(ended.out)
    assert ended.code == ExitCode.STRATEGY
    (finding,) = record["findings"]
    assert (finding["layer"], finding["rule"], finding["severity"]) == (
        "causality",
        "lookahead",
        "error",
    )
    assert finding["message"] == WHY
    assert served.lab.backtester.requests[-1].symbols == ("AAPL",)
    sarif = json.loads(stratlab("validate", strategy, "--causality", "--format", "sarif").out)
    (run,) = sarif["runs"]
    (found,) = run["results"]
    assert found["ruleId"] == "lookahead"
    assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == "lookahead"
    junit = stratlab("validate", strategy, "--causality", "--format", "junit").out
    assert 'type="lookahead"' in junit
    assert "lookahead" in stratlab("validate", strategy, "--causality", "--format", "github").out


def test_validate_passes_what_is_clean(served: ServedLab, stratlab: Program, strategy: str) -> None:
    served.lab.backtester.report = report(CLEAN)
    ended = stratlab("validate", strategy, "--causality", "--json")
    assert ended.code == ExitCode.OK
    assert json.loads(ended.out)["findings"] == []


@pytest.mark.parametrize(
    ("outcome", "rule"),
    [
        (Outcome.NONDETERMINISTIC, "nondeterministic"),
        (Outcome.TIMEOUT_WALL, "not_compared"),
        (Outcome.PROTOCOL_VIOLATION, "not_compared"),
    ],
)
def test_validate_names_other_outcomes(
    served: ServedLab, stratlab: Program, strategy: str, outcome: Outcome, rule: str
) -> None:
    served.lab.backtester.report = report(replace(DIRTY, outcome=outcome))
    record = json.loads(stratlab("validate", strategy, "--causality", "--json").out)
    assert [finding["rule"] for finding in record["findings"]] == [rule]


def test_validate_tells_of_a_backtest_that_failed_by_itself(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    failed = replace(RESULT, outcome=Outcome.FORGED, reason="equity differs", metrics=None)
    served.lab.backtester.report = BacktestReport(failed, ScreeningReport(), Limits())
    record = json.loads(stratlab("validate", strategy, "--causality", "--json").out)
    assert [finding["rule"] for finding in record["findings"]] == ["forged"]


def test_validate_of_a_backtest_that_could_not_be_made_is_our_fault(
    served: ServedLab, stratlab: Program, strategy: str
) -> None:
    lost = replace(RESULT, outcome=Outcome.INFRASTRUCTURE, reason="engine gone", metrics=None)
    served.lab.backtester.report = BacktestReport(lost, ScreeningReport(), Limits())
    ended = stratlab("validate", strategy, "--causality", "--json")
    assert ended.code == ExitCode.INFRASTRUCTURE
