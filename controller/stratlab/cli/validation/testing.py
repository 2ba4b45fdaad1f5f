"""Judges a strategy by a backtest over the train tier and the causality test behind it."""

from contextlib import closing
from typing import TYPE_CHECKING

from stratlab.cli.output import plain
from stratlab.domain.errors import EngineError
from stratlab.domain.strategy import Finding, ScreeningReport, Severity
from stratlab.domain.trial import Outcome
from stratlab.screening.rule import Rule
from stratlab.screening.rules.causality import NOT_COMPARED
from stratlab.screening.rules.causality import RULE_OF_OUTCOME as CAUSALITY_RULES
from stratlab.screening.rules.smoke import RULE_OF_OUTCOME as TRIAL_RULES

if TYPE_CHECKING:
    from stratlab.cli.validation.judging import Judge
    from stratlab.client import Client
    from stratlab_proto.v1 import backtest_service_pb2 as pb


def causality_judge(client: "Client", asked: "pb.RunBacktestRequest") -> "Judge":
    """Return what screens a source, backtests it, and puts it to the causality test.

    Args:
        client: Of a server that runs trials.
        asked: Data, symbols and parameters.

    Raises:
        EngineError: By the judge: a trial could not be run.
    """

    def judge(source: str) -> ScreeningReport:
        from stratlab_proto.v1 import backtest_service_pb2 as pb  # noqa: PLC0415 - start-up

        request = pb.RunBacktestRequest()
        request.CopyFrom(asked)
        request.source = source
        request.causality = True
        with closing(client.run_backtest(request)) as items:
            result = next(item.result for item in items if item.HasField("result"))
        found = [
            Finding(**fields | {"severity": Severity(fields["severity"])})
            for fields in map(plain, result.findings)
        ]
        if not result.rejected:
            found += _of_trial(result)
        return ScreeningReport(tuple(found))

    return judge


def _of_trial(result: "pb.BacktestResult") -> list[Finding]:
    trial = plain(result.trial)
    outcome = Outcome(trial["outcome"])
    if outcome is Outcome.SUCCEEDED:
        return []
    if outcome.is_retried or outcome is Outcome.CANCELLED:
        raise EngineError(f"the backtest could not be made: {trial['reason']}")
    failure = trial["error"]
    rule = _rule(outcome, is_rerun=result.HasField("causality"))
    reason = f"{failure['type']}: {failure['message']}" if failure else trial["reason"]
    line = failure["line"] if failure else 0
    # Not `at_place`: what came first must not be cut.
    return [
        Finding(rule.layer, rule.id, rule.severity, line, 0, reason or outcome.value, rule.hint)
    ]


def _rule(outcome: Outcome, *, is_rerun: bool) -> Rule:
    if is_rerun:
        return CAUSALITY_RULES.get(outcome, NOT_COMPARED)
    return TRIAL_RULES[outcome]
