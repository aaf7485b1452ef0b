"""Around every RPC: requests that do not parse, errors translated, metrics counted."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import Descriptor

from service.api.status import abort, is_foreseen
from service.api.wire import MalformedRequest, lenient
from service.metrics import Metrics

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of our services; those of health and reflection are only counted."""

    def __init__(self, metrics: Metrics, requests: dict[str, Descriptor]) -> None:
        """`requests`: the request message of each of our methods, by full method name."""
        self._metrics = metrics
        self._requests = requests

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Replace a handler by its wrapped self."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method not in self._requests:
            return handler
        return _wrap(handler, _Call(self._metrics, method, handler), self._requests[method])


class _Call:
    """Counts the RPCs of one method."""

    def __init__(self, metrics: Metrics, method: str, handler: Any) -> None:
        _, service, name = method.split("/")
        kind = {
            (False, False): "unary",
            (False, True): "server_stream",
            (True, False): "client_stream",
            (True, True): "bidi_stream",
        }[handler.request_streaming, handler.response_streaming]
        self._labels = (kind, service, name)
        self._metrics = metrics

    @asynccontextmanager
    async def watch(self, context: Context) -> AsyncGenerator[None]:
        """Around the handler: counts the RPC and its outcome, and ends it with the status of an error."""
        started, failure = time.perf_counter(), None
        self._metrics.rpc_started.labels(*self._labels).inc()
        try:
            yield
        except BaseException as error:
            failure = type(error)
            if not is_foreseen(error):
                raise
            failure = grpc.aio.AbortError
            await abort(context, error)  # type: ignore[arg-type]
        finally:
            self._metrics.rpc_handled.labels(*self._labels, _code_of(context, failure)).inc()
            self._metrics.rpc_seconds.labels(*self._labels).observe(time.perf_counter() - started)

    def received(self) -> None:
        self._metrics.rpc_received.labels(*self._labels).inc()

    def sent(self) -> None:
        self._metrics.rpc_sent.labels(*self._labels).inc()


def _code_of(context: Context, error: type[BaseException] | None) -> str:
    if error is None:
        return "OK"
    if issubclass(error, grpc.aio.AbortError):
        code = context.code()
        return code.name if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN.name
    return grpc.StatusCode.CANCELLED.name


def _wrap(handler: Any, call: _Call, request: Descriptor) -> Handler:
    deserialize = lenient(handler.request_deserializer, request)
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary, call), deserialize, handler.response_serializer
        )
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(
            _streaming(handler.unary_stream, call), deserialize, handler.response_serializer
        )
    return grpc.stream_stream_rpc_method_handler(
        _streaming(handler.stream_stream, call), deserialize, handler.response_serializer
    )


def _unary(behavior: Callable[[Any, Context], Awaitable[Any]], call: _Call) -> Callable[[Any, Context], Awaitable[Any]]:
    async def wrapped(request: Any, context: Context) -> Any:
        async with call.watch(context):
            call.received()
            response = await behavior(_parsed(request), context)
            call.sent()
            return response

    return wrapped


def _streaming(
    behavior: Callable[[Any, Context], AsyncGenerator[Any]], call: _Call
) -> Callable[[Any, Context], Awaitable[None]]:
    # Written as a coroutine: gRPC leaves a cancelled generator to the garbage collector, and its row with it.
    async def wrapped(request: Any, context: Context) -> None:
        async with call.watch(context):
            if hasattr(request, "__aiter__"):
                responses = behavior(_parsed_stream(request, call), context)
            else:
                call.received()
                responses = behavior(_parsed(request), context)
            async with aclosing(responses):
                async for response in responses:
                    await context.write(response)
                    call.sent()

    return wrapped


def _parsed(request: Any) -> Any:
    if isinstance(request, MalformedRequest):
        raise request.error
    return request


async def _parsed_stream(requests: AsyncIterator[Any], call: _Call) -> AsyncIterator[Any]:
    async for request in requests:
        call.received()
        yield _parsed(request)
