"""Who makes the call that is being answered."""

from contextvars import ContextVar

from stratlab.domain.access import Caller

_CALLER: ContextVar[Caller] = ContextVar("caller")


def set_caller(caller: Caller) -> None:
    """Remember who makes the call that this task answers."""
    _CALLER.set(caller)


def current_caller() -> Caller:
    """Return who makes the call that this task answers.

    Raises:
        LookupError: The call did not pass the access interceptor, a defect.
    """
    return _CALLER.get()
