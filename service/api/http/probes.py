"""What orchestrators and Prometheus ask."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.api.http.threads import Threads

PATHS = ("/livez", "/readyz", "/metrics")


@dataclass(frozen=True)
class Probes:
    """How the service is; asked from any thread."""

    is_live: Callable[[], bool]
    is_ready: Callable[[], bool]

    def routes(self, registry: CollectorRegistry, threads: Threads) -> Iterator[Route]:
        """For the application; metrics are written by `threads`."""

        async def livez(_: Request) -> Response:
            return _told(self.is_live(), "live", "an engine has ended")

        async def readyz(_: Request) -> Response:
            return _told(self.is_ready(), "ready", "not ready")

        async def metrics(request: Request) -> Response:
            return await threads.run(_metrics, request, registry)

        yield Route("/livez", livez)
        yield Route("/readyz", readyz)
        yield Route("/metrics", metrics)


def _told(is_well: bool, good: str, bad: str) -> Response:
    return PlainTextResponse(f"{good if is_well else bad}\n", 200 if is_well else 503)


def _metrics(request: Request, registry: CollectorRegistry) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    names = request.query_params.getlist("name[]")
    content = encode(registry.restricted_registry(names) if names else registry)
    headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        content = gzip.compress(content, 1)
    return Response(content, headers=headers)
