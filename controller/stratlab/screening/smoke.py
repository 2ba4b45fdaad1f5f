"""Layer 6, smoke: what a short run of the strategy in a container says about it."""

from collections.abc import Mapping
from typing import Final

from stratlab.domain.strategy import Finding, Severity
from stratlab.domain.trial import Outcome, TrialResult
from stratlab.evaluation.order_log import orders_digest

LAYER: Final = "smoke"

NO_ORDERS: Final = "no_orders"
"""Rule of a run without a single order; every other rule is an outcome in lower case."""

FIXES: Final[Mapping[Outcome, str]] = {
    Outcome.STRATEGY_ERROR: "correct this line",
    Outcome.TIMEOUT_CPU: "do less work per bar",
    Outcome.TIMEOUT_WALL: "do less work per bar and never wait",
    Outcome.OUT_OF_MEMORY: "keep less history in memory",
    Outcome.PIDS: "start no processes or threads",
    Outcome.OUTPUT_LIMIT: "print less",
    Outcome.FORGED: "do not touch portfolio, orders or metrics; only place orders",
    Outcome.PROTOCOL_VIOLATION: "use the order functions only",
}
"""What to do about an outcome, for people and generators."""

_MAX_TEXT = 200


def check_run(result: TrialResult) -> list[Finding]:
    """Return what a settled smoke run says: how it failed, or that it never traded.

    A run that could not be made (``is_retried``) says nothing.

    Args:
        result: The host's account of the run.
    """
    if result.outcome.is_retried:
        return []
    if result.outcome is Outcome.SUCCEEDED:
        # The result keeps the log's digest, not the log; a restart must see the same.
        return [_no_orders(result)] if result.orders_digest == orders_digest(()) else []
    failure = result.failure
    message = result.reason or result.outcome.value
    if failure is not None:
        message = f"{failure.type}: {failure.message}"[:_MAX_TEXT]
        if failure.text:
            message += f" (in `{failure.text.strip()[:_MAX_TEXT]}`)"
    return [
        Finding(
            LAYER,
            result.outcome.value.lower(),
            Severity.ERROR,
            failure.line if failure else 0,
            0,
            message,
            FIXES.get(result.outcome, "change the strategy").capitalize() + ".",
        )
    ]


def _no_orders(result: TrialResult) -> Finding:
    window = result.spec.window
    return Finding(
        LAYER,
        NO_ORDERS,
        Severity.WARNING,
        0,
        0,
        f"no order was placed from {window.start} to {window.end}",
        "Loosen a condition, unless the strategy is meant to wait that long.",
    )
