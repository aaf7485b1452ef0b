"""One request and its answer: read whole, within limits; given up when the client goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request as AsgiRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.http.connection import Connection
from service.api.http.error import HttpError
from service.api.http.refusals import Arrival, Refusals
from service.api.in_process import CallFailedError, Metadata
from service.api.status import foreseen
from service.errors import DeadlineExceededError, InvalidRequestError

_FORWARDED = ("authorization", "x-request-id", "traceparent", "tracestate")
"""Headers that RPCs see as metadata."""


@dataclass(frozen=True)
class Request:
    """A request that is there."""

    method: str
    headers: Headers
    path_parameters: dict[str, str]
    query: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def metadata(self) -> Metadata:
        """Of the RPC that it asks for."""
        return tuple((name, value) for name, value in self.headers.items() if name in _FORWARDED)

    @property
    def media_type(self) -> str:
        """Of the body; without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


Answer = Callable[[Request], Awaitable[ASGIApp]]
"""Makes a response, which is sent while the client is there."""


class Endpoint:
    """An ASGI application for one route of the API."""

    def __init__(
        self, answer: Answer, tell: Callable[[HttpError], Response], refusals: Refusals, max_body_bytes: int
    ) -> None:
        """`tell` writes errors as clients of this API expect them."""
        self._answer = answer
        self._tell = tell
        self._refusals = refusals
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, answer, send."""
        arrival = Arrival(scope["route"].path, scope)
        try:
            body = await self._read(scope, receive)
        except HttpError as error:
            await self._failure(error, arrival)(scope, receive, send)
            return
        if body is not None:
            await _while_there(self._respond(arrival, body, receive, send), receive)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None: the client went."""
        connection: Connection = scope["state"]["connection"]
        length = Headers(scope=scope).get("content-length", "0")
        self._check_length(int(length) if length.isdigit() else 0)
        parts, num_bytes, is_more = [], 0, True
        try:
            async with asyncio.timeout_at(connection.request_due):
                while is_more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message["body"])
                    num_bytes += len(parts[-1])
                    self._check_length(num_bytes)
                    is_more = message["more_body"]
        except TimeoutError:
            raise HttpError.of(DeadlineExceededError("the request did not come in time"), 408) from None
        return b"".join(parts)

    def _check_length(self, num_bytes: int) -> None:
        if num_bytes > self._max_body_bytes:
            error = InvalidRequestError.of("body", f"is longer than max_message_bytes, {self._max_body_bytes}")
            raise HttpError.of(error, 413)

    async def _respond(self, arrival: Arrival, body: bytes, receive: Receive, send: Send) -> None:
        asked = AsgiRequest(arrival.scope)
        query = tuple(asked.query_params.multi_items())
        # A body of GET means nothing, whatever it says that it is.
        given = body if asked.method == "POST" else b""
        try:
            response = await self._answer(Request(asked.method, asked.headers, asked.path_params, query, given))
        except CallFailedError as error:
            response = self._failure(HttpError.of_call(error), arrival)
        except HttpError as error:
            response = self._failure(error, arrival)
        except Exception as error:
            response = self._failure(HttpError.of(foreseen(error)), arrival)
        await response(arrival.scope, receive, send)

    def _failure(self, error: HttpError, arrival: Arrival) -> Response:
        self._refusals.note(arrival, error)
        return self._tell(error)


async def _while_there(work: Awaitable[None], receive: Receive) -> None:
    """Do it while the client is there; when it goes, cancel it."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        logging.getLogger(__name__).debug("an HTTP client went before it had its answer")
