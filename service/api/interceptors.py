"""Around every RPC: who asks and whether they may, requests that do not parse, errors translated, all of it counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor

from service.api.edge import Edge
from service.api.rpc import Context, Method, Rpc
from service.api.status import abort, foreseen, is_foreseen
from service.api.wire import parser
from service.errors import UnknownMethodError, is_over

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Parse: TypeAlias = Callable[[Any], Any]
"""Makes a request of what comes, or something to await for it; raises InvalidRequestError."""

UNKNOWN = Method("/unknown/unknown", "unknown")
"""Stands for every method that there is none of: names that clients make up are no labels."""


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Wraps all handlers: ours, those of health and reflection, and the one for methods that nobody has."""

    def __init__(self, edge: Edge, methods: Iterable[MethodDescriptor]) -> None:
        """`methods`: of all services, with those of health and reflection."""
        self._edge = edge
        self._methods = {f"/{method.containing_service.full_name}/{method.name}": method for method in methods}
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Replace a handler by its wrapped self."""
        path = handler_call_details.method
        if path not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None or path not in self._methods:
                return _refusing(self._edge)
            self._wrapped[path] = self.wrap(path, handler)
        return self._wrapped[path]

    def check(self, path: str, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Whether an RPC of ours that came with these metadata would be let in now.

        Raises:
            ServiceError: it would be refused.
        """
        with self._edge.access.admit(path, metadata, {}):
            self._edge.enter()
            self._edge.leave()

    def wrap(self, path: str, handler: Any, parse: Parse | None = None) -> Handler:
        """A handler behind the door; `parse` makes a request of what comes where that is no protobuf message."""
        if parse is None:
            message = self._methods[path].input_type
            parse = parser(handler.request_deserializer, message, self._edge.settings.max_message_bytes)
        return _wrap(handler, _Door(self._edge, Method(path, _kind(handler))), parse)


class _Door:
    """What every RPC of one method goes through."""

    def __init__(self, edge: Edge, method: Method) -> None:
        self._edge = edge
        self._method = method
        self._does_work = method.path.startswith("/seq2serve.")
        """Health and reflection answer while the service starts and drains, too."""

    @asynccontextmanager
    async def open(self, context: Context) -> AsyncGenerator[Rpc]:
        """Around the handler: lets the RPC in, and ends it with the status of an error."""
        rpc, held = Rpc(self._edge, self._method, context), ExitStack()
        code, failure = grpc.StatusCode.OK, None
        try:
            self._admit(rpc, context, held)
            yield rpc
        except BaseException as error:
            code, failure = _code_of_end(context), error
            if not is_foreseen(error):
                raise
            failure = foreseen(error)  # type: ignore[arg-type]
            code = failure.status
            held.close()  # who is told slowly does no work any more
            await abort(context, failure, rpc.request_id)
        finally:
            held.close()
            rpc.end(code, failure)

    def _admit(self, rpc: Rpc, context: Context, held: ExitStack) -> None:
        if self._method is UNKNOWN:
            raise UnknownMethodError("no service here has that method; server reflection lists those there are")
        admission = self._edge.access.admit(self._method.path, rpc.metadata, context.auth_context())
        held.enter_context(admission)
        if self._does_work:
            self._edge.enter()
            held.callback(self._edge.leave)
        rpc.enter(client=admission.client, spend=admission.spend, wait=admission.wait)


def _code_of_end(context: Context) -> grpc.StatusCode:
    """Of an RPC that gRPC cancelled: by its client, or because its time was over."""
    is_late = is_over(context.time_remaining())
    return grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED


def _kind(handler: Any) -> str:
    return {
        (False, False): "unary",
        (False, True): "server_stream",
        (True, False): "client_stream",
        (True, True): "bidi_stream",
    }[handler.request_streaming, handler.response_streaming]


def _refusing(edge: Edge) -> Handler:
    door = _Door(edge, UNKNOWN)

    async def refuse(_: Any, context: Context) -> None:
        async with door.open(context):
            raise AssertionError("it is refused before")

    # Of the kind that reads no message before it runs.
    return grpc.stream_stream_rpc_method_handler(refuse)


def _wrap(handler: Any, door: _Door, parse: Parse) -> Handler:
    """The same handler, given bytes: nothing is parsed for who may not ask."""
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary, door, parse), None, handler.response_serializer
        )
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(
            _streaming(handler.unary_stream, door, parse), None, handler.response_serializer
        )
    return grpc.stream_stream_rpc_method_handler(
        _streaming(handler.stream_stream, door, parse), None, handler.response_serializer
    )


def _unary(
    behavior: Callable[[Any, Context], Awaitable[Any]], door: _Door, parse: Parse
) -> Callable[[Any, Context], Awaitable[Any]]:
    async def wrapped(content: Any, context: Context) -> Any:
        async with door.open(context) as rpc:
            response = await behavior(await _parsed(content, rpc, parse), context)
            rpc.sent()
            return response

    return wrapped


def _streaming(
    behavior: Callable[[Any, Context], AsyncGenerator[Any]], door: _Door, parse: Parse
) -> Callable[[Any, Context], Awaitable[None]]:
    # Written as a coroutine: gRPC leaves a cancelled generator to the garbage collector, and its row with it.
    async def wrapped(content: Any, context: Context) -> None:
        async with door.open(context) as rpc:
            is_stream = hasattr(content, "__aiter__")
            request = _parsed_stream(content, rpc, parse) if is_stream else await _parsed(content, rpc, parse)
            responses = behavior(request, context)
            async with aclosing(responses):
                async for response in responses:
                    await _write(response, context)
                    rpc.sent()

    return wrapped


async def _write(response: Any, context: Context) -> None:
    try:
        await context.write(response)
    except grpc.aio.InternalError:  # the client went while it was written; gRPC would have cancelled a moment later
        raise asyncio.CancelledError from None


async def _parsed(content: Any, rpc: Rpc, parse: Parse) -> Any:
    request = parse(content)
    if isinstance(request, Awaitable):
        request = await request
    rpc.received(request)
    return request


async def _parsed_stream(contents: AsyncIterator[bytes], rpc: Rpc, parse: Parse) -> AsyncIterator[Any]:
    async for content in contents:
        yield await _parsed(content, rpc, parse)
