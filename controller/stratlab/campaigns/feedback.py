"""Turns an iteration into the sentences that the next one learns from: training figures only."""

import builtins

from stratlab.domain.campaign import Evaluation, Feedback, Iteration
from stratlab.domain.gates import GateResult
from stratlab.domain.market import Tier
from stratlab.domain.metrics import Metrics
from stratlab.domain.strategy import ScreeningReport, Severity
from stratlab.domain.trial import Outcome, TrialResult
from stratlab.screening.rules.smoke import RULE_OF_OUTCOME

_HINTS = {
    "max_drawdown": "exit earlier or trade smaller",
    "min_sharpe_ratio": "the edge does not pay for its risk; change the signal",
    "min_validation_sharpe_ratio": "the edge does not last; prefer fewer, simpler conditions",
    "max_oos_degradation": "the edge fades outside the training years; simplify",
    "min_total_trades": "loosen a condition so that it trades more often",
    "max_turnover": "trade less often",
}


def write_feedback(iteration: Iteration) -> Feedback:
    """Return what an iteration taught: metrics, analysis and hint, or error, diagnosis and fix."""
    if iteration.candidate is None:
        return _failure(iteration.failure, "no candidate could be generated", "try another part")
    if iteration.screening is not None and not iteration.screening.passed:
        return _screening(iteration.screening)
    broken = next((r for r in iteration.results if r.outcome is not Outcome.SUCCEEDED), None)
    if broken is not None:
        return _trial(broken)
    evaluation = iteration.evaluation
    if evaluation is not None and iteration.failure:
        diagnosis, fix = "the causality test before the hall of fame", "decide by past bars alone"
        # What follows the outcome names an order and a day, perhaps of the validation tier.
        return _failure(iteration.failure.partition(":")[0], diagnosis, fix)
    if evaluation is None or evaluation.train is None:
        reason = iteration.failure or "the trials gave no metrics"
        return _failure(reason, "nothing could be measured", "trade at least once")
    return _success(evaluation, evaluation.train)


def _failure(error: str, diagnosis: str, fix: str) -> Feedback:
    return Feedback(kind="failure", summary=error, analysis=diagnosis, hint=fix)


def _screening(report: ScreeningReport) -> Feedback:
    first = next(f for f in report.findings if f.severity is Severity.ERROR)
    place = f"line {first.line}: " if first.line else ""
    return _failure(
        f"{first.rule}: {place}{first.message}", f"screening layer {first.layer}", first.hint
    )


def _trial(result: TrialResult) -> Feedback:
    failure, window = result.failure, result.spec.window
    rule = RULE_OF_OUTCOME.get(result.outcome)
    fix = rule.hint if rule else "change the strategy"
    if window.tier is not Tier.TRAIN:
        return _beyond_train(result, fix)
    if failure is None:
        place = f"trial {result.spec.index} on the {window.tier} tier"
        return _failure(f"{result.outcome}: {result.reason}", place, fix)
    place = (
        f"line {failure.line}: {failure.text.strip()}" if failure.line else "outside its own code"
    )
    return _failure(f"{failure.type}: {failure.message}", place, "correct this line")


def _beyond_train(result: TrialResult, fix: str) -> Feedback:
    # A strategy may raise with whatever it has seen, under any name and from any line; reasons
    # name the host's own figures.
    failure, window = result.failure, result.spec.window
    place = f"trial {result.spec.index} on the {window.tier} tier"
    if failure is None:
        return _failure(result.outcome.value, place, fix)
    error = failure.type if failure.type in dir(builtins) else "an exception of its own"
    return _failure(error, place, fix)


def _success(evaluation: Evaluation, train: Metrics) -> Feedback:
    # Validation gates are named without their values: the critic sees no validation figure.
    failed = [gate for gate in evaluation.gates if not gate.passed]
    sharpe = "undefined" if train.sharpe_ratio is None else f"{train.sharpe_ratio:.2f}"
    figures = (
        f"train sharpe {sharpe}, return {_percent(train.annual_return)} a year, "
        f"drawdown {_percent(train.max_drawdown)}, {train.total_trades} trades"
    )
    if not failed:
        return Feedback(
            "success", f"{figures}; all gates passed", _analysis(evaluation, train), "look close by"
        )
    return Feedback(
        "success",
        f"{figures}; failed {', '.join(gate.gate for gate in failed)}",
        _analysis(evaluation, train),
        _hint(failed[0]),
    )


def _analysis(evaluation: Evaluation, train: Metrics) -> str:
    benchmark = evaluation.benchmark_train
    if benchmark is None or benchmark.annual_return is None or train.annual_return is None:
        return "no benchmark to compare with"
    excess = train.annual_return - benchmark.annual_return
    word = "above" if excess > 0 else "below"
    return f"{_percent(abs(excess))} a year {word} buy-and-hold of the same markets"


def _hint(gate: GateResult) -> str:
    return _HINTS.get(gate.gate, "change the strategy so that the gate passes")


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.1f} %"
