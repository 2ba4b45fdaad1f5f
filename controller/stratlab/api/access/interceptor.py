"""Decides on every call: who makes it, may they, and do they ask for too much."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, nullcontext
from typing import Any, Protocol, TypeAlias, final

import grpc
import structlog

from stratlab.api.access.callers import set_caller
from stratlab.api.access.quotas import Meter, Quotas
from stratlab.api.access.roles import OPEN_METHODS, require_role
from stratlab.api.errors import abort
from stratlab.domain.access import OWNER, Caller
from stratlab.domain.errors import StratlabError, UnauthenticatedError

# As text: generic in the stubs only.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Context = grpc.aio.ServicerContext[Any, Any]
_Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
_SCHEME = "bearer "
_log = structlog.get_logger(__name__)


class Authenticator(Protocol):
    """Knows tokens; :class:`~stratlab.api.access.tokens.TokenFile` is one."""

    def authenticate(self, secret: str) -> Caller:
        """Return the caller that a token stands for, or raise an :class:`AccessError`."""
        ...


@final
class OwnerInterceptor(grpc.aio.ServerInterceptor):
    """For the unix socket: the file system lets nobody in but the owner."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the method's handler, which then knows that the owner calls."""
        handler = await continuation(handler_call_details)
        return handler and _replace(handler, _Guard(handler, OWNER))


@final
class TokenInterceptor(grpc.aio.ServerInterceptor):
    """For the network: a token, its role and its quotas decide.

    Args:
        authenticator: Knows the tokens.
        quotas: What each token may ask for.
    """

    def __init__(self, authenticator: Authenticator, quotas: Quotas) -> None:
        self._authenticator = authenticator
        self._quotas = quotas
        # One per name that was ever authenticated, so a caller cannot make them grow.
        self._meters: dict[str, Meter] = {}
        self._strangers = Meter(quotas)
        self._log_lines = Meter(quotas)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the method's handler, or one that only says why not."""
        details = handler_call_details
        try:
            if details.method in OPEN_METHODS:
                self._strangers.start_call()
                return await continuation(details)
            caller = self._authenticate(details)
            meter = self._meters.setdefault(caller.name, Meter(self._quotas))
            meter.start_call()
            handler = await continuation(details)
            if handler is None:  # gRPC then says that there is no such method
                return None
            require_role(caller, details.method)
        except StratlabError as error:
            self._tell(details.method, error)
            return _refusal(error)
        guard = _Guard(handler, caller, meter, lambda: self._authenticate(details))
        return _replace(handler, guard)

    def _authenticate(self, details: grpc.HandlerCallDetails) -> Caller:
        return self._authenticator.authenticate(_bearer(details.invocation_metadata or ()))

    def _tell(self, method: str, error: StratlabError) -> None:
        # Strangers cannot fill the disk with it.
        try:
            self._log_lines.start_call()
        except StratlabError:
            return
        cause = {"cause": str(error.__cause__)} if error.__cause__ else {}
        _log.warning(
            "call_refused", method=method[:200], reason=error.reason, error=error.message, **cause
        )


def _bearer(metadata: _Metadata) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        raise UnauthenticatedError("the call carries no token")
    value = values[0]
    if len(values) > 1 or not isinstance(value, str) or not value.lower().startswith(_SCHEME):
        raise UnauthenticatedError(
            "the authorization of the call is no bearer token",
            hint="Send one metadata entry `authorization: Bearer TOKEN`.",
        )
    return value[len(_SCHEME) :].strip()


@final
class _Guard:
    # Wraps one handler for one call. gRPC does not tell the type of messages, hence Any.

    def __init__(
        self,
        handler: Any,  # noqa: ANN401
        caller: Caller,
        meter: Meter | None = None,
        identify: Callable[[], object] = lambda: None,
    ) -> None:
        self._behaviour = handler.unary_unary or handler.unary_stream or handler.stream_stream
        self._caller = caller
        self._meter = meter
        self._identify = identify

    async def answer(self, request: Any, context: _Context) -> Any:  # noqa: ANN401
        set_caller(self._caller)
        return await self._behaviour(request, context)

    async def answers(self, request: Any, context: _Context) -> AsyncIterator[Any]:  # noqa: ANN401
        set_caller(self._caller)
        try:
            with self._meter.stream() if self._meter else nullcontext():
                items: Any = self._behaviour(request, context)
                if not inspect.isasyncgen(items):  # the health service writes by itself
                    await items
                    return
                async with aclosing(items):
                    async for item in items:
                        # A token that is revoked or expires ends its streams.
                        self._identify()
                        yield item
        except StratlabError as error:
            await abort(context, error)


def _replace(handler: Any, guard: _Guard) -> _Handler:  # noqa: ANN401
    codecs = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(guard.answer, **codecs)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(guard.answers, **codecs)
    return grpc.stream_stream_rpc_method_handler(guard.answers, **codecs)


def _refusal(error: StratlabError) -> _Handler:
    # Whatever the method is: this kind of handler reads no request.
    async def refuse(requests: object, context: _Context) -> None:
        del requests
        await abort(context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)
