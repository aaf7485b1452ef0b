"""The HTTP port: a thread with an event loop of its own, so that probes are answered while gRPC's loop is busy."""

from __future__ import annotations

import asyncio
import socket
import threading

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from service.api.http.connection import IDLE_SECONDS, Connection, Connections
from service.settings import Settings, split_address

MAX_HEAD_BYTES = 32 * 1024
"""Of a request without its body; browsers have cookies of other services on the same host, too."""
BACKLOG = 128
END_SECONDS = 2.0
"""For answers that are under way when the port stops."""


class HttpPort:
    """Bind it, start it, stop it."""

    def __init__(self, settings: Settings, application: ASGIApp) -> None:
        """Bind the port; `start` serves it.

        Raises:
            OSError: the port cannot be bound.
        """
        host, port = split_address("http_address", settings.http_address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self._socket.getsockname()[1]}"
        self._config = Config(
            application,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="error",  # clients that go away or write no HTTP are not news
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._connections = Connections(settings.max_http_connections)
        self._state = ServerState()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port. Blocks while answers that are under way are written."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._config.load()
        server = await self._loop.create_server(self._connection, sock=self._socket)
        await self._stopping.wait()
        server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._answered()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await self._answered()

    async def _answered(self) -> None:
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=END_SECONDS)

    def _connection(self) -> Connection:
        return Connection(self._config, self._state, self._connections)
