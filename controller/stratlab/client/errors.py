"""Turns failed calls back into the typed errors that the server raised."""

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from stratlab.domain.errors import (
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerUnreachableError,
    StratlabError,
    UnauthenticatedError,
    UnavailableError,
)

_DOMAIN = "stratlab"
_TRANSPORT_ERRORS: dict[grpc.StatusCode, tuple[type[StratlabError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (ServerUnreachableError, "no controller answers"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (UnavailableError, "the controller is too slow"),
    grpc.StatusCode.CANCELLED: (UnavailableError, "the call was cancelled"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (LimitExceededError, "a message or count is too large"),
    grpc.StatusCode.INVALID_ARGUMENT: (InvalidInputError, "the request cannot be used"),
    grpc.StatusCode.NOT_FOUND: (NotFoundError, "there is no such thing"),
    grpc.StatusCode.UNAUTHENTICATED: (UnauthenticatedError, "the caller is unknown"),
    grpc.StatusCode.PERMISSION_DENIED: (PermissionDeniedError, "the caller may not do this"),
}
_TLS_HINT = (
    "Check whether the server speaks TLS (http:// for plaintext on loopback), the certificates to "
    "trust (--ca), and, if it asks for one, your own certificate (--cert, --key)."
)


def error_classes() -> dict[str, type[StratlabError]]:
    """Return every typed error by its reason."""
    classes = {StratlabError.reason: StratlabError}
    pending = [StratlabError]
    while pending:
        children = pending.pop().__subclasses__()
        classes |= {child.reason: child for child in children if "reason" in vars(child)}
        pending += children
    return classes


def typed_error(error: grpc.RpcError) -> StratlabError:
    """Return the error that a failed call stands for.

    Statuses without our ErrorInfo come from gRPC itself: nobody listens, the deadline passed,
    a message was too large.
    """
    info = _error_info(error)
    if info is not None:
        metadata = dict(info.metadata)
        hint = metadata.pop("hint", None)
        known = error_classes().get(info.reason, StratlabError)
        # Built without the data as keywords: a key may be called like a parameter.
        typed = known(error.details() or info.reason, hint=hint)
        typed.data.update(metadata)
        return typed
    return _transport_error(error)


def retry_seconds(error: StratlabError) -> float | None:
    """Return how long to wait before the same call succeeds, None when it would not."""
    if not isinstance(error, RateLimitedError):
        return None
    try:
        return max(float(error.data["retry_seconds"]), 0.0)
    except (KeyError, ValueError):
        return None


def _error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo | None:
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is the call, too
    except ValueError:  # code or text differ from those of the details
        return None
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            return info
    return None


def _transport_error(error: grpc.RpcError) -> StratlabError:
    kind, text = _TRANSPORT_ERRORS.get(error.code(), (StratlabError, "the call failed"))
    details = error.details() or error.code().name
    is_tls = kind is ServerUnreachableError and "handshake" in details
    return kind(f"{text}: {details}", hint=_TLS_HINT if is_tls else None)
