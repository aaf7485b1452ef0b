"""Counts and times what the HTTP port answers."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.http.probes import PATHS as PROBES
from service.metrics.families import Metrics

NO_ROUTE, NO_ANSWER = "none", "none"
"""The route of what no route takes; the code of what was given up before it had one."""


class Observed:
    """An application whose answers show in the metrics. Probes do not: they would hide everything else."""

    def __init__(self, application: ASGIApp, metrics: Metrics) -> None:
        self._application = application
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["path"] in PROBES:
            await self._application(scope, receive, send)
            return
        code, started = NO_ANSWER, time.perf_counter()

        async def send_and_see(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
            await send(message)

        try:
            await self._application(scope, receive, send_and_see)
        finally:
            # As the route is written, never the path: what a client sends is no label.
            route = scope["route"].path if "route" in scope else NO_ROUTE
            self._metrics.http_requests.labels(route, code).inc()
            self._metrics.http_seconds.labels(route).observe(time.perf_counter() - started)
