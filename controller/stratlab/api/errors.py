"""Turns exceptions into gRPC statuses: typed errors with ErrorInfo, all others as INTERNAL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn, TypeAlias, final

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from stratlab.api.lifetimes import Lifetimes
from stratlab.domain.errors import (
    AccessError,
    AlreadyExistsError,
    CallTimeoutError,
    DiskFullError,
    InfrastructureError,
    IntegrityError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    RateLimitedError,
    StratlabError,
    UnauthenticatedError,
    UnavailableError,
    UnsafeConfigurationError,
    WrongStateError,
)

ERROR_DOMAIN = "stratlab"
STATUS_CODES: dict[type[StratlabError], int] = {
    StratlabError: code_pb2.INTERNAL,
    InvalidInputError: code_pb2.INVALID_ARGUMENT,
    NotFoundError: code_pb2.NOT_FOUND,
    AlreadyExistsError: code_pb2.ALREADY_EXISTS,
    WrongStateError: code_pb2.FAILED_PRECONDITION,
    AccessError: code_pb2.PERMISSION_DENIED,
    UnauthenticatedError: code_pb2.UNAUTHENTICATED,
    UnsafeConfigurationError: code_pb2.FAILED_PRECONDITION,
    UnavailableError: code_pb2.UNAVAILABLE,
    LimitExceededError: code_pb2.RESOURCE_EXHAUSTED,
    CallTimeoutError: code_pb2.DEADLINE_EXCEEDED,
    IntegrityError: code_pb2.DATA_LOSS,
    InfrastructureError: code_pb2.INTERNAL,
    DiskFullError: code_pb2.RESOURCE_EXHAUSTED,
}
"""Status of each class; a class that is not listed has its parent's."""

# A client drops trailing metadata above 8 KiB, and the text travels twice in it
# (percent-encoded and base64).
_MESSAGE_BYTES = 1000
_HINT_BYTES = 500
_VALUE_BYTES = 200
_MAX_VALUES = 8
_PREFIX = "/stratlab."

# As text: generic in the stubs only.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Context = grpc.aio.ServicerContext[Any, Any]
_log = structlog.get_logger(__name__)


def status_of(error: StratlabError) -> status_pb2.Status:
    """Return the rich status of a typed error: code, message and ErrorInfo with the hint.

    A :class:`RateLimitedError` carries a RetryInfo too.
    """
    code = next(STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES)
    metadata = {
        key[:64]: _cut(value, _VALUE_BYTES) for key, value in list(error.data.items())[:_MAX_VALUES]
    }
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=ERROR_DOMAIN,
        metadata=metadata | {"hint": _cut(error.hint, _HINT_BYTES)},
    )
    status = status_pb2.Status(code=code, message=_cut(error.message, _MESSAGE_BYTES))
    status.details.add().Pack(info)
    if isinstance(error, RateLimitedError) and "retry_seconds" in error.data:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(float(error.data["retry_seconds"]) * 1000))
        status.details.add().Pack(retry)
    return status


async def abort(context: _Context, error: StratlabError) -> NoReturn:
    """End a call with the status of a typed error."""
    await context.abort_with_status(rpc_status.to_status(status_of(error)))


@final
class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of our own services.

    Args:
        lifetimes: Ends calls in time.
    """

    def __init__(self, lifetimes: Lifetimes) -> None:
        self._lifetimes = lifetimes

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the method's handler with its errors mapped."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_PREFIX):
            return handler
        # No deserializer: what does not parse has to become a typed error, too.
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._guard_answer(handler, method),
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_stream_rpc_method_handler(
            self._guard_stream(handler, method), response_serializer=handler.response_serializer
        )

    # gRPC does not tell the type of a handler's messages, hence Any.

    def _guard_answer(self, handler: Any, method: str) -> Any:  # noqa: ANN401
        async def answer(request: bytes, context: _Context) -> Any:  # noqa: ANN401
            try:
                message = _parse(handler, request)
                return await self._lifetimes.bounded(handler.unary_unary(message, context))
            except Exception as error:  # noqa: BLE001 (the last line of defence of the server)
                await _abort_with_any(context, error, method)

        return answer

    def _guard_stream(self, handler: Any, method: str) -> Any:  # noqa: ANN401
        async def answers(request: bytes, context: _Context) -> AsyncIterator[Any]:
            try:
                stream = handler.unary_stream(_parse(handler, request), context)
                async with aclosing(self._lifetimes.until_stopped(stream, method)) as items:
                    async for item in items:
                        yield item
            except Exception as error:  # noqa: BLE001 (the last line of defence of the server)
                await _abort_with_any(context, error, method)

        return answers


def _parse(handler: Any, request: bytes) -> Any:  # noqa: ANN401
    try:
        return handler.request_deserializer(request)
    except DecodeError:
        raise InvalidInputError("the request is not a message of this method") from None


async def _abort_with_any(context: _Context, error: Exception, method: str) -> NoReturn:
    if not isinstance(error, StratlabError):
        # The caller learns nothing about the inside; the operator learns everything.
        _log.error("unexpected_error", method=method, exc_info=error)
        error = StratlabError("The server failed unexpectedly; its log says why.")
    elif isinstance(error, InfrastructureError):
        _log.warning("infrastructure_error", method=method, reason=error.reason, error=str(error))
    await abort(context, error)


def _cut(text: str, limit: int) -> str:
    encoded = text.encode(errors="replace")
    return encoded[:limit].decode(errors="ignore")
