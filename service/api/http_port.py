"""The HTTP port: /metrics for Prometheus, /livez and /readyz for orchestrators, and a page that says what runs here."""

from __future__ import annotations

import contextlib
import html
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from service.api.models import Models
from service.metrics.families import Metrics
from service.settings import Settings, split_address

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

CONNECTION_SECONDS = 10.0
"""For a request to come and its answer to go; then the connection is closed."""
_UNAVAILABLE = "503 Service Unavailable"
_PLAIN, _HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
_SECURITY_HEADERS = [
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>seq2serve</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: top }}
</style>
<h1>seq2serve</h1>
<p>gRPC at <code>{grpc_address}</code>; reflection and health are on.
<a href="/metrics">Metrics</a>, <a href="/readyz">readiness</a>, <a href="/livez">liveness</a>.</p>
<table><thead><tr><th>model<th>version<th>languages<th>architecture<th>precision</tr></thead>
<tbody>{rows}</tbody></table>
</html>
"""


@dataclass(frozen=True)
class Probes:
    """What orchestrators ask; called from any thread."""

    is_live: Callable[[], bool]
    is_ready: Callable[[], bool]


class HttpPort:
    """A small threaded WSGI server beside gRPC's event loop."""

    def __init__(self, settings: Settings, metrics: Metrics, models: Models, probes: Probes, grpc_address: str) -> None:
        """Bind the port; `start` serves it.

        Raises:
            OSError: the port cannot be bound.
        """
        host, port = split_address("http_address", settings.http_address)
        application = _application(metrics, models, probes, grpc_address)
        self._server = make_server(host, port, application, _ThreadingServer, _QuietHandler)
        self._server.free = threading.BoundedSemaphore(settings.max_http_connections)
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    """A thread for each connection, of which there are so many at most, each for so long at most."""

    daemon_threads = True
    block_on_close = False
    free: threading.BoundedSemaphore

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._started: dict[Any, float] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self.free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._started[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._started.pop(request, None)
            self.free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._started.pop(request, None)
            self.free.release()

    def service_actions(self) -> None:
        """Called twice a second: ends connections of clients that send byte after byte and never a request."""
        too_old = time.monotonic() - CONNECTION_SECONDS
        for request, started in list(self._started.items()):
            if started < too_old:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that goes away in the middle is not news."""
        logger.debug("an HTTP connection ended early", exc_info=True)


class _QuietHandler(WSGIRequestHandler):
    timeout = CONNECTION_SECONDS
    server_version, sys_version = "seq2serve", ""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Scrapes every few seconds are not news."""


def _application(metrics: Metrics, models: Models, probes: Probes, grpc_address: str) -> WSGIApplication:
    prometheus = make_wsgi_app(metrics.registry)

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "/")
        headers = [("Content-Type", _PLAIN), *_SECURITY_HEADERS]
        if environment.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", "only GET and HEAD\n"
            headers.append(("Allow", "GET, HEAD"))
        elif path == "/metrics":
            return cast("Iterable[bytes]", prometheus(environment, start_response))
        elif path == "/":
            status, body = "200 OK", _page(models, grpc_address)
            headers[0] = ("Content-Type", _HTML)
        elif path == "/livez":
            status, body = ("200 OK", "live\n") if probes.is_live() else (_UNAVAILABLE, "an engine has ended\n")
        elif path == "/readyz":
            status, body = ("200 OK", "ready\n") if probes.is_ready() else (_UNAVAILABLE, "not ready\n")
        else:
            status, body = "404 Not Found", "not found: try /metrics, /livez, /readyz\n"
        content = body.encode()
        start_response(status, [*headers, ("Content-Length", str(len(content)))])
        return [] if environment.get("REQUEST_METHOD") == "HEAD" else [content]

    return answer


def _page(models: Models, grpc_address: str) -> str:
    rows = []
    for model in models.all():
        manifest = model.manifest
        cells = (
            manifest.name,
            manifest.version,
            ", ".join(pair.name for pair in manifest.pairs),
            manifest.architecture,
            manifest.precision,
        )
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells) + "</tr>")
    return _PAGE.format(grpc_address=html.escape(grpc_address), rows="\n".join(rows))
