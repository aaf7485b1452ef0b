"""The HTTP port's application: routes, errors outside of them, and what every response carries."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.http import libretranslate
from service.api.http.error import REQUEST_ID_HEADER, HttpError, status_response
from service.api.http.libretranslate.error import error_response
from service.api.http.probes import PATHS as PROBES
from service.api.http.refusals import Arrival, Refusals
from service.errors import SettingsError, TooManyConnectionsError, UnknownMethodError

RETRY_SECONDS = 1.0
API_PREFIX, OPENAPI = "/v1/", "/openapi.json"
SPEC = "/spec"
"""Where LibreTranslate has its description."""
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_CALLER_HEADERS = ("Authorization", "Content-Type", "Grpc-Timeout", "Traceparent", "Tracestate", REQUEST_ID_HEADER)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#,\s]+|\*")


def origins_of(text: str) -> tuple[str, ...]:
    """The setting http_allowed_origins, understood.

    Raises:
        SettingsError: it is no list of origins.
    """
    origins = tuple(origin.strip() for origin in text.split(",")) if text.strip() else ()
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"http_allowed_origins {origin!r}: expected origins such as https://example.com, without a path, or *"
            )
    return origins


def application(routes: Iterable[BaseRoute], allowed_origins: Collection[str], refusals: Refusals) -> ASGIApp:
    """The whole application."""
    failures = _Failures(refusals)
    served = Starlette(routes=list(routes), exception_handlers={HTTPException: failures.answer})
    served.router.redirect_slashes = False
    full = failures.too_many
    # A page that may call is told why it gets no answer, too.
    shared, shared_full = (
        CORSMiddleware(
            inner,
            allow_origins=allowed_origins,
            allow_methods=("GET", "POST"),
            allow_headers=_CALLER_HEADERS,
            expose_headers=(REQUEST_ID_HEADER, "Retry-After"),
        )
        for inner in (served, full)
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                headers["Date"] = formatdate(usegmt=True)
            await send(message)

        path = scope["path"]
        is_refused = path not in PROBES and not scope["state"]["connection"].may_work
        if allowed_origins and is_api(path):
            chosen: ASGIApp = shared_full if is_refused else shared
        else:
            chosen = full if is_refused else served
        await chosen(scope, receive, send_with_headers)

    return answer


def is_api(path: str) -> bool:
    """Whether other programs call it."""
    return path.startswith(API_PREFIX) or path in (OPENAPI, SPEC) or path in libretranslate.PATHS


class _Failures:
    """What goes wrong before a route is found."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    async def too_many(self, scope: Scope, receive: Receive, send: Send) -> None:
        """There is no connection left for this request."""
        path = scope["path"]
        failure = HttpError.of(
            TooManyConnectionsError("all connections of the HTTP port are in use", RETRY_SECONDS), 503
        )
        self._refusals.note(_arrival(scope), failure)
        await _told(path, failure)(scope, receive, send)

    async def answer(self, request: Request, error: Exception) -> Response:
        """There is no such path, or not for this method."""
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        if not is_api(path):
            hint = ": try /, /openapi.json, /metrics, /livez, /readyz" if error.status_code == 404 else ""
            return PlainTextResponse(f"{error.detail}{hint}\n", error.status_code, error.headers)
        failure = HttpError.of(UnknownMethodError(f"{error.detail}; {OPENAPI} lists what there is"), error.status_code)
        failure.headers.update(error.headers or {})
        self._refusals.note(_arrival(request.scope), failure)
        return _told(path, failure)


def _arrival(scope: Scope) -> Arrival:
    """Of a request without a route: paths that clients make up are not logged."""
    path = scope["path"]
    return Arrival(path if path in libretranslate.PATHS else f"{API_PREFIX}…" if is_api(path) else "/…", scope)


def _told(path: str, error: HttpError) -> Response:
    """As clients of that path expect it."""
    return error_response(error) if path in libretranslate.PATHS else status_response(error)
