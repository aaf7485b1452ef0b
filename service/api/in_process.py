"""RPCs that did not come by gRPC: the same handlers, behind the same door, called on gRPC's event loop.

Callers live on a loop of their own, in another thread. What they hand over goes to gRPC's loop, what comes back goes to
theirs; a caller that does not read holds the handler up, and one that stops reading cancels it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from service.api.interceptors import EdgeInterceptor, Handler
from service.api.status import DETAILS_KEY, PUSHBACK_KEY, REQUEST_ID_KEY, status_of
from service.errors import DeadlineExceededError, UnavailableError

MAX_UNREAD_MESSAGES = 8
"""Of one call; then its handler waits."""
Metadata = tuple[tuple[str, str], ...]


class CallFailedError(Exception):
    """A call ended with another status than OK."""

    def __init__(
        self, status: status_pb2.Status, retry_after_seconds: float | None = None, request_id: str = ""
    ) -> None:
        super().__init__(status.message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id


class HandlerTable:
    """Takes handlers where generated code expects a server, add_ModelServiceServicer_to_server and the like."""

    def __init__(self) -> None:
        self.by_path: dict[str, Handler] = {}

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Note the handlers of a service."""
        self.by_path.update({f"/{service}/{name}": handler for name, handler in handlers.items()})

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """The same ones again, as older versions of gRPC took them."""


class CallContext:
    """What a handler sees of the RPC: as much of grpc.aio.ServicerContext as ours use."""

    def __init__(self, metadata: Metadata, deadline: float | None, send: Callable[[Message], Any]) -> None:
        """`deadline`: on the monotonic clock; None: none. `send` is awaited for every message."""
        self.trailers: dict[str, str | bytes] = {}
        self.status: status_pb2.Status | None = None
        """Of a call that was aborted."""
        self._metadata = metadata
        self._deadline = deadline
        self._send = send

    def invocation_metadata(self) -> Metadata:
        """What the caller sent beside the message."""
        return self._metadata

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Nothing: the connection shows no certificate."""
        return {}

    def time_remaining(self) -> float | None:
        """Seconds; None: there is no deadline."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def set_trailing_metadata(self, trailers: Iterable[tuple[str, str | bytes]]) -> None:
        """Keep them for the caller."""
        self.trailers.update(trailers)

    async def write(self, message: Message) -> None:
        """Send a message; waits while the caller does not read."""
        await self._send(message)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[tuple[str, str | bytes]] = ()
    ) -> NoReturn:
        """End the call."""
        self.set_trailing_metadata(trailing_metadata)
        rich = self.trailers.get(DETAILS_KEY)
        self.status = (
            status_pb2.Status.FromString(rich)
            if isinstance(rich, bytes)
            else status_pb2.Status(code=code.value[0], message=details)
        )
        raise grpc.aio.AbortError


class Call:
    """One RPC: read its `responses` once."""

    def __init__(
        self,
        handler: Callable[[Any, CallContext], Any],
        content: Any,
        metadata: Metadata,
        timeout_seconds: float | None,
        grpc_loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Nothing runs yet. Made on the caller's loop; `handler` is a wrapped one and gets `content` as it is."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._context = CallContext(metadata, deadline, self._send)
        self._handler, self._content = handler, content
        self._grpc_loop, self._own_loop = grpc_loop, asyncio.get_running_loop()
        self._unread: asyncio.Queue[Message | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(MAX_UNREAD_MESSAGES)

    @property
    def request_id(self) -> str:
        """Known from the first response, or the failure, on."""
        return str(self._context.trailers.get(REQUEST_ID_KEY, ""))

    async def responses(self) -> AsyncGenerator[Message]:
        """What the handler answers; close it (`aclosing`) to cancel the handler.

        Raises:
            CallFailedError: the RPC failed.
        """
        running = asyncio.run_coroutine_threadsafe(self._run(), self._grpc_loop)
        ended = asyncio.wrap_future(running)
        ended.add_done_callback(lambda _: self._unread.put_nowait(None))
        try:
            while (message := await self._unread.get()) is not None:
                self._slots.release()
                yield message
        finally:
            running.cancel()
        if ended.cancelled():
            raise CallFailedError(status_of(UnavailableError("the service ended before the call did")))
        ended.result()
        self._raise_failure()

    async def response(self) -> Message:
        """The only one; cancelled, it cancels the handler.

        Raises:
            CallFailedError: the RPC failed.
        """
        async with aclosing(self.responses()) as responses:
            message = await anext(responses)
            async for _ in responses:
                raise AssertionError("one response, and then the end")
        return message

    async def _run(self) -> None:
        """On gRPC's loop."""
        try:
            async with asyncio.timeout(self._context.time_remaining()):
                response = await self._handler(self._content, self._context)
                if response is not None:  # streams have written theirs
                    await self._context.write(response)
        except TimeoutError:
            self._context.status = status_of(
                DeadlineExceededError("the time that the caller gave is over"), self.request_id
            )
        except grpc.aio.AbortError:
            pass

    async def _send(self, message: Message) -> None:
        """From gRPC's loop to the caller's."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._put(message), self._own_loop))

    async def _put(self, message: Message) -> None:
        await self._slots.acquire()
        self._unread.put_nowait(message)

    def _raise_failure(self) -> None:
        if self._context.status is None:
            return
        pushback = self._context.trailers.get(PUSHBACK_KEY)
        retry = None if pushback is None else int(pushback) / 1000
        raise CallFailedError(self._context.status, retry, self.request_id)


class InProcess:
    """Calls RPCs of this process by their full names."""

    def __init__(self, edge: EdgeInterceptor, table: HandlerTable) -> None:
        self._edge = edge
        self._table = table
        self._wrapped: dict[str, Callable[[Any, CallContext], Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Called on gRPC's loop: calls run there."""
        self._loop = asyncio.get_running_loop()

    def add(self, path: str, parse: Callable[[Any], Any]) -> None:
        """Make an RPC callable.

        Args:
            path: its full name, such as /seq2serve.v1.TranslationService/Translate.
            parse: makes a request of what calls bring, behind the door, or something to await for one; raises
                InvalidRequestError. What is a message already is taken as it is.
        """
        wrapped: Any = self._edge.wrap(
            path, self._table.by_path[path], lambda content: content if isinstance(content, Message) else parse(content)
        )
        self._wrapped[path] = wrapped.unary_unary or wrapped.unary_stream

    def call(self, path: str, content: Any, metadata: Metadata, timeout_seconds: float | None = None) -> Call:
        """A call, not begun yet; from the caller's loop."""
        assert self._loop is not None
        return Call(self._wrapped[path], content, metadata, timeout_seconds, self._loop)

    async def check(self, path: str, metadata: Metadata) -> None:
        """Whether the caller may call an RPC now, for work that is none.

        Raises:
            ServiceError: it would be refused.
        """
        assert self._loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._check(path, metadata), self._loop))

    async def _check(self, path: str, metadata: Metadata) -> None:
        self._edge.check(path, metadata)

    async def ask(self, path: str, request: Message, metadata: Metadata) -> Message:
        """The response of an RPC that has one.

        Raises:
            CallFailedError: the RPC failed.
        """
        return await self.call(path, request, metadata).response()
