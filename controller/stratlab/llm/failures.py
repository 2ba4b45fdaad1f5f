"""What can go wrong with a call, and what follows: whether it was charged, whether to try again.

Only a failure that the endpoint certainly did not charge gives its reservation back: one that it
answered with an error status, and one that never reached it. All others stay charged in full.
"""

import math
import time
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import anthropic

_SHOWN = 300
_SPENDING_WORDS = ("credit balance", "spend limit", "spending limit", "usage limit", "billing")


@final
class Cause(StrEnum):
    """What went wrong."""

    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"
    SERVER_ERROR = "SERVER_ERROR"
    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    CONNECTION_LOST = "CONNECTION_LOST"
    BROKEN_ANSWER = "BROKEN_ANSWER"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    UNAUTHORISED = "UNAUTHORISED"
    SPENDING_LIMIT = "SPENDING_LIMIT"
    NO_KEY = "NO_KEY"


_RETRIED = frozenset(
    {
        Cause.RATE_LIMITED,
        Cause.OVERLOADED,
        Cause.SERVER_ERROR,
        Cause.TIMEOUT,
        Cause.UNREACHABLE,
        Cause.CONNECTION_LOST,
        Cause.BROKEN_ANSWER,
    }
)
_NEEDS_SOMEBODY = frozenset({Cause.UNAUTHORISED, Cause.SPENDING_LIMIT, Cause.NO_KEY})
_CHARGED = frozenset({Cause.TIMEOUT, Cause.CONNECTION_LOST, Cause.BROKEN_ANSWER})

_CAUSES = {
    401: Cause.UNAUTHORISED,
    402: Cause.SPENDING_LIMIT,
    403: Cause.UNAUTHORISED,
    408: Cause.SERVER_ERROR,
    409: Cause.SERVER_ERROR,
    429: Cause.RATE_LIMITED,
    503: Cause.OVERLOADED,
    529: Cause.OVERLOADED,
}
_SERVER_ERRORS = 500


@final
class CallFailedError(Exception):
    """One try of a call failed.

    Attributes:
        cause: What went wrong.
        message: For people; may hold text of the endpoint.
        retry_after: Seconds that the endpoint asks to wait, None when it does not.
    """

    def __init__(self, cause: Cause, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.retry_after = retry_after

    @property
    def may_be_retried(self) -> bool:
        """Whether the same call may succeed later."""
        return self.cause in _RETRIED

    @property
    def needs_somebody(self) -> bool:
        """Whether no call succeeds until somebody mends a key or an account."""
        return self.cause in _NEEDS_SOMEBODY

    @property
    def may_be_charged(self) -> bool:
        """Whether the endpoint may have charged the try."""
        return self.cause in _CHARGED


def of_status(error: "anthropic.APIStatusError") -> CallFailedError:
    """Return what an answer with an error status means."""
    message = f"HTTP {error.status_code}: {error.api_message or error.message}"[:_SHOWN]
    return CallFailedError(_cause_of_status(error), message, _retry_after(error.response.headers))


def of_connection(error: "anthropic.APIConnectionError") -> CallFailedError:
    """Return what it means that no answer came."""
    import anthropic  # noqa: PLC0415 - keeps start-up fast
    import httpx2  # noqa: PLC0415 - the same

    if isinstance(error, anthropic.APITimeoutError):
        never_sent = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        if not never_sent:
            return CallFailedError(Cause.TIMEOUT, "the endpoint did not answer in time")
    elif not isinstance(error.__cause__, httpx2.ConnectError | httpx2.UnsupportedProtocol):
        return CallFailedError(Cause.CONNECTION_LOST, "the connection to the endpoint broke")
    return CallFailedError(Cause.UNREACHABLE, "no endpoint answers at that address")


def _cause_of_status(error: "anthropic.APIStatusError") -> Cause:
    told = f"{error.type or ''} {error.error_code or ''} {error.api_message or ''}".lower()
    if any(word in told for word in _SPENDING_WORDS):
        return Cause.SPENDING_LIMIT
    if error.status_code >= _SERVER_ERRORS:
        return _CAUSES.get(error.status_code, Cause.SERVER_ERROR)
    return _CAUSES.get(error.status_code, Cause.REQUEST_REFUSED)


def _retry_after(headers: "Mapping[str, str]") -> float | None:
    told = headers.get("retry-after", "")
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
