"""Layer 6, smoke: what a short run of the strategy in a container says about it."""

from stratlab.domain.strategy import Finding, LayerRun, ScreeningReport
from stratlab.domain.trial import Outcome, TrialResult
from stratlab.evaluation.order_log import orders_digest
from stratlab.screening.rule import Layer
from stratlab.screening.rules.smoke import NO_ORDERS, RULE_OF_OUTCOME

_MAX_TEXT = 200


def check_run(result: TrialResult) -> ScreeningReport:
    """Return what a settled smoke run says: how it failed, or that it never traded.

    A run that ended through no doing of the strategy says nothing, not even that it was made.

    Args:
        result: The host's account of the run.
    """
    rule = RULE_OF_OUTCOME.get(result.outcome)
    if rule is None and result.outcome is not Outcome.SUCCEEDED:
        return ScreeningReport()
    findings: tuple[Finding, ...] = ()
    if rule is not None:
        line = result.failure.line if result.failure else 0
        findings = (
            Finding(rule.layer, rule.id, rule.severity, line, 0, _reason(result), rule.hint),
        )
    elif result.orders_digest == orders_digest(()):
        # The result keeps the log's digest, not the log; a restart must see the same.
        window = result.spec.window
        findings = (NO_ORDERS.at_place(0, start=window.start, end=window.end),)
    return ScreeningReport(findings, (LayerRun(Layer.SMOKE, result.usage.wall_seconds),))


def _reason(result: TrialResult) -> str:
    failure = result.failure
    if failure is None:
        return result.reason or f"the run ended with {result.outcome.value}"
    message = f"{failure.type}: {failure.message}"[:_MAX_TEXT]
    text = failure.text.strip()[:_MAX_TEXT]
    return f"{message} (in `{text}`)" if text else message
