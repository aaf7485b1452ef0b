"""Waiting for what happens soon, and asking the HTTP port meanwhile."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from service.api.server import Server


async def eventually(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Wait until it holds; fails if it does not within that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


def http_status(server: Server, path: str) -> int:
    """What the HTTP port answers; blocks, for it runs in a thread of its own."""
    return http_get(server, path)[0]


def http_get(server: Server, path: str, accept: str = "*/*") -> tuple[int, str]:
    """Status and body."""
    request = urllib.request.Request(f"http://{server.http_address}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
