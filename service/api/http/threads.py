"""What takes longer than an event loop may be held up, done beside it: by few threads, for few that wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from service.api.http.connection import NUM_RESERVED
from service.errors import ShuttingDownError, TooManyConversionsError
from service.settings import Settings

NUM_CONVERSIONS, MAX_WAITING = 2, 32
"""Long messages, each up to a few megabytes, that are read or written at a time; and how many more there may be."""
RETRY_SECONDS = 1.0
Asked = ParamSpec("Asked")
Result = TypeVar("Result")


class Threads:
    """Threads for one kind of work, so that no other kind waits for it. May be used from any event loop."""

    def __init__(self, name: str, num_threads: int, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(num_threads, name)
        self._limit = num_threads + max_waiting
        self._lock = threading.Lock()
        self._num_taken = 0

    async def run(self, work: Callable[Asked, Result], *asked: Asked.args, **named: Asked.kwargs) -> Result:
        """What the work returns.

        Raises:
            TooManyConversionsError: as much is waiting as may.
            ShuttingDownError: the port has stopped.
        """
        with self._lock:
            if self._num_taken >= self._limit:
                raise TooManyConversionsError("too many long messages are read and written now", RETRY_SECONDS)
            self._num_taken += 1
        try:
            future = self._threads.submit(work, *asked, **named)
        except RuntimeError:
            self._leave()
            raise ShuttingDownError from None
        # Who gives up leaves the thread working: the place is free when the work is done, and not before.
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """End the threads when they have done what they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: Future[Any] | None = None) -> None:
        with self._lock:
            self._num_taken -= 1


@dataclass(frozen=True)
class HttpThreads:
    """Those of the HTTP port."""

    conversion: Threads
    """Reads and writes long messages."""
    detection: Threads
    """Tells languages apart; its model takes one text at a time."""
    metrics: Threads
    """One place for each connection: Prometheus waits for nobody else."""

    @classmethod
    def of(cls, settings: Settings) -> HttpThreads:
        """None runs before there is work."""
        return cls(
            Threads("http-conversion", NUM_CONVERSIONS, MAX_WAITING),
            Threads("http-detection", 1, MAX_WAITING),
            Threads("http-metrics", 1, settings.max_http_connections + NUM_RESERVED),
        )

    def stop(self) -> None:
        """End them."""
        for threads in (self.conversion, self.detection, self.metrics):
            threads.stop()
