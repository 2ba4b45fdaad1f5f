"""The one table of exit codes."""

from enum import IntEnum
from typing import final

from stratlab.domain.errors import (
    AccessError,
    AlreadyExistsError,
    IntegrityError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    StratlabError,
    WrongStateError,
)
from stratlab.domain.trial import Outcome


@final
class ExitCode(IntEnum):
    """What the number that a command ends with means."""

    OK = 0
    STRATEGY = 1
    USAGE = 2
    WARNINGS = 3
    INFRASTRUCTURE = 4
    INTEGRITY = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.STRATEGY: "the strategy failed or was rejected, or the verdict is reject",
    ExitCode.USAGE: "wrong usage or invalid input",
    ExitCode.WARNINGS: "there are warnings, and --strict was given",
    ExitCode.INFRASTRUCTURE: "engine, image, store or server failed",
    ExitCode.INTEGRITY: (
        "audit broken, data set or file changed, or a trial FORGED, LOOKAHEAD or PROTOCOL_VIOLATION"
    ),
    ExitCode.INTERRUPTED: "interrupted, paused or cancelled",
}
"""Documented in docs/cli.md; a test compares."""

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {text}" for code, text in MEANINGS.items()) + "."

_USAGE = (
    InvalidInputError,
    NotFoundError,
    AlreadyExistsError,
    WrongStateError,
    AccessError,
    LimitExceededError,
)
_OUTCOMES = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.FORGED: ExitCode.INTEGRITY,
    Outcome.LOOKAHEAD: ExitCode.INTEGRITY,
    Outcome.PROTOCOL_VIOLATION: ExitCode.INTEGRITY,
    Outcome.LOST: ExitCode.INFRASTRUCTURE,
    Outcome.INFRASTRUCTURE: ExitCode.INFRASTRUCTURE,
    Outcome.CANCELLED: ExitCode.INTERRUPTED,
}


def error_exit_code(error: StratlabError) -> ExitCode:
    """Return the exit code that stands for a typed error."""
    if isinstance(error, IntegrityError):
        return ExitCode.INTEGRITY
    return ExitCode.USAGE if isinstance(error, _USAGE) else ExitCode.INFRASTRUCTURE


def outcome_exit_code(outcome: Outcome) -> ExitCode:
    """Return the exit code that stands for how a trial ended."""
    return _OUTCOMES.get(outcome, ExitCode.STRATEGY)
