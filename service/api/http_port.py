"""The HTTP port: /metrics for Prometheus, /livez and /readyz for orchestrators, and a page that says what runs here."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from service.api.models import Models
from service.metrics import Metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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


class HttpPort:
    """A small threaded WSGI server beside gRPC's event loop."""

    def __init__(
        self, host: str, port: int, metrics: Metrics, models: Models, is_ready: Callable[[], bool], grpc_address: str
    ) -> None:
        """Bind the port; `start` serves it.

        Raises:
            OSError: the port cannot be bound.
        """
        application = _application(metrics, models, is_ready, grpc_address)
        self._server = make_server(host, port, application, _ThreadingServer, _QuietHandler)
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
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 30  # a client that says nothing does not hold a thread for ever

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Scrapes every few seconds are not news."""


def _application(metrics: Metrics, models: Models, is_ready: Callable[[], bool], grpc_address: str) -> WSGIApplication:
    prometheus = make_wsgi_app(metrics.registry)

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "/")
        if path == "/metrics":
            metrics_response: Iterable[bytes] = prometheus(environment, start_response)
            return metrics_response
        plain = "text/plain; charset=utf-8"
        if path == "/":
            status, kind, body = "200 OK", "text/html; charset=utf-8", _page(models, grpc_address)
        elif path == "/livez":
            status, kind, body = "200 OK", plain, "live\n"
        elif path == "/readyz":
            status, body = ("200 OK", "ready\n") if is_ready() else ("503 Service Unavailable", "not ready\n")
            kind = plain
        else:
            status, kind, body = "404 Not Found", plain, "not found: try /metrics, /livez, /readyz\n"
        content = body.encode()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
        return [content]

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
