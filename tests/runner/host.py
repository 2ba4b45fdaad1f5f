"""The host's own view of what a container reported."""

from datetime import UTC, date, datetime

from tests.runner.member import Result

from stratlab.domain.trial import Cancel, Order
from stratlab.sandbox.entries import TrialRecord


def day(label: int) -> date:
    """The date of a bar label."""
    return datetime.fromtimestamp(label, UTC).date()


def host_log(result: Result) -> list[Order | Cancel]:
    """The order log, checked as the controller checks it."""
    symbols = frozenset(entry.symbol for entry in result.log)
    record = TrialRecord(symbols, result.equity[0][0], result.equity[-1][0])
    record.add_log(result.log)
    return record.log
