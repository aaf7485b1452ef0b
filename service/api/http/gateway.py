"""The public API as JSON: each route of the protos calls its RPC in this process."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing

from google.protobuf.message import Message
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.http.error import JSON, REQUEST_ID_HEADER, HttpError, status_json, status_response
from service.api.http.exchange import Endpoint, Request
from service.api.http.message_json import parser, to_json
from service.api.http.refusals import Refusals
from service.api.http.routes import Route
from service.api.http.threads import Threads
from service.api.in_process import Call, CallFailedError, InProcess
from service.api.status import status_of
from service.errors import InvalidRequestError, ServiceError

LINES = "application/x-ndjson"
TIMEOUT_HEADER = "grpc-timeout"
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class Gateway:
    """The routes of the API."""

    def __init__(
        self, routes: Iterable[Route], in_process: InProcess, threads: Threads, refusals: Refusals, max_body_bytes: int
    ) -> None:
        """`threads`: for long messages."""
        self._routes = tuple(routes)
        self._in_process = in_process
        self._threads = threads
        self._refusals = refusals
        self._max_body_bytes = max_body_bytes
        for route in self._routes:
            in_process.add(route.rpc_path, parser(route, threads))

    def routes(self) -> Iterator[BaseRoute]:
        """For the application."""
        for route in self._routes:
            answer = _Caller(route, self._in_process, self._threads).answer
            endpoint = Endpoint(answer, status_response, self._refusals, self._max_body_bytes)
            yield StarletteRoute(route.path, endpoint, methods=[route.method])


class _Caller:
    """Answers one route."""

    def __init__(self, route: Route, in_process: InProcess, threads: Threads) -> None:
        self._route = route
        self._in_process = in_process
        self._threads = threads

    async def answer(self, request: Request) -> ASGIApp:
        if self._route.is_body_whole and request.media_type != JSON:
            # Pages of other origins may send forms unasked, but not JSON.
            raise HttpError.of(InvalidRequestError.of("Content-Type", f"give {JSON}"), 415)
        call = self._in_process.call(self._route.rpc_path, request, request.metadata, _timeout(request))
        if self._route.rpc.server_streaming:
            responses = call.responses()
            return _Lines(call, responses, await anext(responses, None), self._threads)
        message = await call.response()
        return Response(await to_json(message, self._threads), 200, _headers(call), JSON)


class _Lines:
    """A stream, one message a line; the first is there already, so that a refusal has a status of its own."""

    def __init__(self, call: Call, responses: AsyncGenerator[Message], first: Message | None, threads: Threads) -> None:
        self._call = call
        self._responses = responses
        self._first = first
        self._threads = threads

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send all of it."""
        async with aclosing(self._responses):
            head = Response(None, 200, _headers(self._call), LINES)
            del head.headers["content-length"]
            await send({"type": "http.response.start", "status": 200, "headers": head.raw_headers})
            try:
                if self._first is not None:
                    await _send_line(await to_json(self._first, self._threads), send)
                async for message in self._responses:
                    await _send_line(await to_json(message, self._threads), send)
            except (CallFailedError, ServiceError) as error:
                status = error.status if isinstance(error, CallFailedError) else status_of(error, self._call.request_id)
                await _send_line(b'{"error": %s}' % status_json(status).encode(), send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_line(line: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": line + b"\n", "more_body": True})


def _headers(call: Call) -> dict[str, str]:
    return {REQUEST_ID_HEADER: call.request_id, "Cache-Control": "no-store"}


def _timeout(request: Request) -> float | None:
    """As gRPC writes it, such as 5S or 200m."""
    text = request.headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise InvalidRequestError.of("Grpc-Timeout", "give up to 8 digits and a unit of H, M, S, m, u, n, such as 5S")
    return int(match[1]) * _UNITS[match[2]]
