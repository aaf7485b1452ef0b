"""One connection of the HTTP port: how many there may be, and how long each may take to say what it wants.

Connections above the limit, of which there are a few more, may ask how the service is, and nothing else: orchestrators
and Prometheus get through when clients hold all the others.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

REQUEST_SECONDS = 10.0
"""For a request to come, body included; then the connection is closed."""
IDLE_SECONDS = 60
"""Between two requests; less where others want in."""
UNREAD_SECONDS = 60.0
"""How long a client may leave an answer that comes unread."""
NUM_RESERVED = 16
"""Connections for those who ask how the service is."""


class Connections:
    """All connections; belongs to the port's event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._num_open = 0
        self._working: dict[Connection, None] = {}
        """Within the limit; oldest first."""

    def enter(self, connection: Connection) -> bool:
        """A connection is there; whether it may stay."""
        self._num_open += 1
        if not self.may_work(connection):
            self._close_an_idle_one()
            self.may_work(connection)
        return self._num_open <= self._limit + NUM_RESERVED

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        self._num_open -= 1
        self._working.pop(connection, None)

    def may_work(self, connection: Connection) -> bool:
        """Whether it is one of those within the limit, if need be from now on."""
        if connection not in self._working and len(self._working) < self._limit:
            self._working[connection] = None
        return connection in self._working

    def _close_an_idle_one(self) -> None:
        idle = next((connection for connection in self._working if connection.is_idle), None)
        if idle is not None:
            del self._working[idle]
            idle.shutdown()


class Connection(H11Protocol):
    """HTTP/1.1 by uvicorn, with limits; applications find it in the request's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        connections: Connections,
    ) -> None:
        super().__init__(config, server_state, {"connection": self})
        self._all = connections
        self._timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self.is_idle = False
        """Whether it waits between two requests."""
        self.request_due = 0.0
        """When the request that comes must be there, on the loop's clock."""

    @property
    def may_work(self) -> bool:
        """Whether the service answers more than probes here."""
        return self._all.may_work(self)

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        # Head and body are written apart: the body would wait for the client's acknowledgement of the head, 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect_request()
        if not self._all.enter(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went, or was closed."""
        self._all.leave(self)
        _cancel(self._timer)
        _cancel(self._unread_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; the first of a request say when it must be there."""
        if self.is_idle:
            self._expect_request()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._timer)  # the application waits for the rest, and not for longer

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; where an answer is out already nothing can be said any more."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """The answer is written, as far as we are concerned."""
        self.is_idle = True
        # uvicorn ends idle connections; this ends those that it waits for.
        self._expect(REQUEST_SECONDS if self.transport.is_closing() else IDLE_SECONDS + REQUEST_SECONDS)
        super().on_response_complete()
        if not self.cycle.response_complete:  # the next request was there already
            self._expect_request()
            _cancel(self._timer)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        _cancel(self._unread_timer)
        super().resume_writing()

    def _expect_request(self) -> None:
        self.is_idle = False
        self.request_due = self.loop.time() + REQUEST_SECONDS
        self._expect(REQUEST_SECONDS)

    def _expect(self, seconds: float) -> None:
        _cancel(self._timer)
        self._timer = self.loop.call_later(seconds, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
