"""Every error that stratlab raises on purpose.

The tree (reason codes are class attributes and equal ``ErrorReason`` in the proto):

    StratlabError
    ├── InvalidInputError            what the caller sent cannot be used
    │   ├── InvalidSpecError         campaign specification
    │   ├── InvalidContractError     strategy contract or rule text
    │   │   ├── NothingNovelError    all that can be made was tried before
    │   │   └── ModelFailedError     the language model gave nothing that can be used
    │   ├── InvalidParametersError   parameter name, value or bound
    │   └── InvalidSourceError       strategy source text (NUL, size, encoding)
    ├── NotFoundError                no such resource
    │   └── DataSetNotFoundError
    ├── AlreadyExistsError           same name or request with other content
    ├── WrongStateError              the resource's state does not allow this call
    ├── AccessError                  who may do what
    │   ├── UnauthenticatedError     no token, or none that counts
    │   ├── UnsafeConfigurationError refused instead of warned about
    │   └── PermissionDeniedError
    ├── UnavailableError             try again, or start what is missing
    │   ├── ServerUnreachableError
    │   │   └── ServerStoppingError  the controller ends; another one will answer
    │   ├── EngineUnavailableError   no Docker engine answers
    │   ├── SandboxNotReadyError     image missing or a limit is unproven
    │   └── ModelUnavailableError    no key, no permission or no credit for the language model
    ├── LimitExceededError           a quota, message size or deadline of ours
    │   ├── RateLimitedError         the same call succeeds later
    │   ├── CallTimeoutError         a unary call took too long
    │   └── BudgetExhaustedError     a call could cost more than the campaign has left
    ├── IntegrityError               stored bytes are not what was written
    │   ├── DataSetCorruptError
    │   └── AuditBrokenError
    └── InfrastructureError          our side failed; never charged to a strategy
        ├── EngineError              the Docker engine refused or died
        ├── StoreError               the database failed
        └── DiskFullError

A strategy that crashes, lies or times out is not an error but a trial outcome
(:class:`stratlab.domain.trial.Outcome`).
"""

import errno
from typing import ClassVar

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class StratlabError(Exception):
    """Root of all typed errors.

    Attributes:
        reason: Stable code, equal to a value of the proto's ``ErrorReason``.
        message: What happened, one sentence.
        hint: The next step for whoever reads it.
        data: Machine-readable details (strings only), sent as ErrorInfo metadata.
    """

    reason: ClassVar[str] = "INTERNAL"
    default_hint: ClassVar[str] = (
        "Run `stratlab doctor` and include its output when you report this."
    )

    def __init__(self, message: str, *, hint: str | None = None, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.data = {key: str(value) for key, value in data.items()}

    def __str__(self) -> str:
        """Return the message with its hint, as a user should see it."""
        return f"{self.message} ({self.hint})"


class InvalidInputError(StratlabError):
    """What the caller sent cannot be used."""

    reason = "INVALID_INPUT"
    default_hint = "Correct the input and try again."


class InvalidSpecError(InvalidInputError):
    """The campaign specification is not valid."""

    reason = "INVALID_SPEC"
    default_hint = "Correct the named field of the campaign specification."


class InvalidContractError(InvalidInputError):
    """The strategy contract or a rule in it is not valid."""

    reason = "INVALID_CONTRACT"
    default_hint = "Correct the named part of the strategy contract."


class NothingNovelError(InvalidContractError):
    """A candidate repeats an earlier one, or nothing else can be made."""

    reason = "NOTHING_NOVEL"
    default_hint = "Widen the parameter space, or start from more templates."


class ModelFailedError(InvalidContractError):
    """The language model gave nothing that can be used."""

    reason = "MODEL_FAILED"
    default_hint = "Nothing is to be done: the next iteration comes from somewhere else."


class InvalidParametersError(InvalidInputError):
    """A parameter is unknown, of the wrong kind or out of bounds."""

    reason = "INVALID_PARAMETERS"
    default_hint = "Use a value inside the bounds of the optimization space."


class InvalidSourceError(InvalidInputError):
    """The strategy source cannot be read as a Python program."""

    reason = "INVALID_SOURCE"
    default_hint = "Send UTF-8 Python source without NUL bytes, at most 256 KiB."


class NotFoundError(StratlabError):
    """The named resource does not exist."""

    reason = "NOT_FOUND"
    default_hint = "List the resources to see the names that exist."


class DataSetNotFoundError(NotFoundError):
    """No data set has that name."""

    reason = "DATA_SET_NOT_FOUND"
    default_hint = "Run `stratlab data list` to see the data sets that exist."


class AlreadyExistsError(StratlabError):
    """The name or request id is in use with other content."""

    reason = "ALREADY_EXISTS"
    default_hint = "Use another name or a fresh request id."


class WrongStateError(StratlabError):
    """The resource's state does not allow this call."""

    reason = "WRONG_STATE"
    default_hint = "Look at the resource's state first."


class AccessError(StratlabError):
    """The call or configuration is not allowed."""

    reason = "ACCESS"
    default_hint = "Ask an operator of this server."


class UnauthenticatedError(AccessError):
    """The caller did not prove who it is."""

    reason = "UNAUTHENTICATED"
    default_hint = "Send a valid token (`--token-file FILE`); `stratlab token create` makes them."


class UnsafeConfigurationError(AccessError):
    """A configuration that would weaken the isolation is refused."""

    reason = "UNSAFE_CONFIGURATION"
    default_hint = "Choose one of the safe settings named in docs/threat-model.md."


class PermissionDeniedError(AccessError):
    """The caller's role does not allow this call."""

    reason = "PERMISSION_DENIED"


class UnavailableError(StratlabError):
    """Something that is needed does not answer right now."""

    reason = "UNAVAILABLE"
    default_hint = "Run `stratlab doctor`, mend what it names, then try again."


class ServerUnreachableError(UnavailableError):
    """No controller answers at the given address."""

    reason = "SERVER_UNREACHABLE"
    default_hint = "Start one with `stratlab serve`, or check --address."


class ServerStoppingError(ServerUnreachableError):
    """The controller ends the call because it stops."""

    reason = "SERVER_STOPPING"
    default_hint = (
        "Make the same call again once the controller runs; nothing that was stored is lost."
    )


class EngineUnavailableError(UnavailableError):
    """No Docker engine answers."""

    reason = "ENGINE_UNAVAILABLE"
    default_hint = "Start Docker (`make engine` on Debian/Ubuntu as root) and try again."


class SandboxNotReadyError(UnavailableError):
    """The sandbox image is missing or a limit is not proven on this host."""

    reason = "SANDBOX_NOT_READY"
    default_hint = "Run `make image`, then `stratlab doctor`."


class ModelUnavailableError(UnavailableError):
    """The language model cannot be asked at all."""

    reason = "MODEL_UNAVAILABLE"
    default_hint = "Set STRATLAB_ANTHROPIC_API_KEY to a valid key with credit, then resume."


class LimitExceededError(StratlabError):
    """A size, rate or time limit of ours was exceeded."""

    reason = "LIMIT_EXCEEDED"
    default_hint = "Send less, or raise the limit in the settings."


class RateLimitedError(LimitExceededError):
    """A token made too many calls, or holds too many streams."""

    reason = "RATE_LIMITED"
    default_hint = "Wait as long as `retry_seconds` says, or end streams that are not needed."


class CallTimeoutError(LimitExceededError):
    """A unary call took longer than the server allows."""

    reason = "CALL_TIMEOUT"
    default_hint = "Try again when the controller has less to do."


class BudgetExhaustedError(LimitExceededError):
    """A call of a language model could cost more than the campaign has left."""

    reason = "BUDGET_EXHAUSTED"
    default_hint = "Raise the stop rule max_cost_usd or max_tokens."


class IntegrityError(StratlabError):
    """Stored bytes are not the bytes that were written."""

    reason = "INTEGRITY"
    default_hint = "Restore the file from a backup; do not trust results that used it."


class DataSetCorruptError(IntegrityError):
    """A data set does not match its digest."""

    reason = "DATA_SET_CORRUPT"
    default_hint = "Remove the data set and build it again."


class AuditBrokenError(IntegrityError):
    """The audit chain does not verify."""

    reason = "AUDIT_BROKEN"
    default_hint = "Somebody changed stored events; compare with an exported audit.jsonl."


class InfrastructureError(StratlabError):
    """Our side failed; a strategy is never charged for it."""

    reason = "INFRASTRUCTURE"


class EngineError(InfrastructureError):
    """The Docker engine refused a call or died."""

    reason = "ENGINE_ERROR"
    default_hint = "Look at the engine's log, then run `stratlab doctor`."


class StoreError(InfrastructureError):
    """The database could not be read or written."""

    reason = "STORE_ERROR"
    default_hint = "Check the database URL, its permissions and the disk."


class DiskFullError(InfrastructureError):
    """No space is left where stratlab writes."""

    reason = "DISK_FULL"
    default_hint = "Free some space and try again; nothing was lost."


def from_os_error(error: OSError) -> InfrastructureError:
    """Return the typed error that stands for one of the operating system.

    DiskFullError when no space is left, InfrastructureError otherwise; both name the file.
    """
    place = f" for {error.filename}" if error.filename else ""
    if error.errno in _NO_SPACE:
        return DiskFullError(f"no space is left{place}")
    what = error.strerror or type(error).__name__
    return InfrastructureError(f"the operating system refused{place}: {what}")
