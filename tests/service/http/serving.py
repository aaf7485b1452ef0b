"""A server on an event loop of its own, in a thread, and plain HTTP to ask it with."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from service.api.server import Server
from service.settings import Settings
from tests import http_client
from tests.http_client import Answer

Run = Callable[..., AbstractContextManager[Server]]
START_SECONDS = 60


@contextmanager
def running(models: Path, **settings: object) -> Iterator[Server]:
    """A server with free ports."""
    chosen: dict[str, Any] = {"grpc_address": "127.0.0.1:0", "http_address": "127.0.0.1:0", "device": "cpu"}
    server = Server(Settings(models=models, **(chosen | settings)), "test")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(START_SECONDS)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ask(
    server: Server, path: str, body: object = None, method: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """See `http_client.ask`."""
    return http_client.ask(server.http_address, path, body, method=method, headers=headers)


def eventually(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until it holds; fails if it does not within that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def counted(server: Server, name: str, **labels: str) -> float:
    """A series of the server's metrics; 0 where there is none yet."""
    return server._metrics.registry.get_sample_value(name, labels) or 0.0


def handled(server: Server, method: str, code: str, kind: str = "unary") -> float:
    """How many RPCs of TranslationService have ended so."""
    service = "seq2serve.v1.TranslationService"
    labels = {"grpc_type": kind, "grpc_service": service, "grpc_method": method, "grpc_code": code}
    return counted(server, "grpc_server_handled_total", **labels)


def num_unfinished(server: Server) -> int:
    return server.models.get("exact", "").worker.num_unfinished
