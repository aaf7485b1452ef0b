"""Runs of explain.onnx beside the engine: few at a time, asked for by a bounded number of requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

from service.errors import ShuttingDownError, TooManyExplanationsError
from service.metrics.families import Metrics

P = ParamSpec("P")
T = TypeVar("T")

RETRY_LIMITS_SECONDS = (0.1, 30.0)
_KEPT = 0.9
"""What the mean time of a run so far counts when another run is over."""


class Explainer:
    """One model's. Belongs to the event loop; what it runs does not."""

    def __init__(self, name: str, max_runs: int, max_requests: int, metrics: Metrics) -> None:
        """Bounds.

        Args:
            name: of the model.
            max_runs: at a time; each takes processor time from the translations that run meanwhile.
            max_requests: that may be under way; one more is refused.
            metrics: told how many there are, and how long runs take.
        """
        self.num_requests = 0
        self._max_runs = max_runs
        self._max_requests = max_requests
        self._threads = ThreadPoolExecutor(max_runs, thread_name_prefix=f"explain-{name}")
        self._under_way: set[asyncio.Future[Any]] = set()
        self._is_stopped = False
        self._seconds_per_run = 0.0
        self._requests = metrics.explain_requests.labels(name)
        self._seconds = metrics.explain_seconds.labels(name)

    @contextmanager
    def admitted(self) -> Iterator[Turns]:
        """Around a request that needs runs.

        Raises:
            TooManyExplanationsError: as many requests are under way as may.
        """
        if self.num_requests >= self._max_requests:
            least, most = RETRY_LIMITS_SECONDS
            wait = self.num_requests * self._seconds_per_run / self._max_runs / 2
            raise TooManyExplanationsError(self._max_requests, min(most, max(least, wait)))
        self._count(1)
        try:
            yield Turns(self)
        finally:
            self._count(-1)

    async def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call a function in one of the threads. Who leaves early gives up the place in the queue.

        Raises:
            ShuttingDownError: `stop` was called before it was done.
        """
        if self._is_stopped:
            raise ShuttingDownError
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._timed, partial(function, *arguments, **options)
        )
        self._under_way.add(work)
        try:
            await asyncio.wait((work,))
        finally:
            self._under_way.discard(work)
            work.cancel()  # a run that has begun goes on for nobody, and keeps its thread until it is over
        if work.cancelled():
            raise ShuttingDownError("the service is shutting down; the time to finish was over")
        return work.result()

    def stop(self) -> None:
        """Begin no more runs, and fail what waits or runs with ShuttingDownError."""
        self._is_stopped = True
        for work in self._under_way:
            work.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count(self, change: int) -> None:
        self.num_requests += change
        self._requests.inc(change)

    def _timed(self, function: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return function()
        finally:
            taken = time.perf_counter() - started
            self._seconds_per_run = _KEPT * self._seconds_per_run + (1 - _KEPT) * taken
            self._seconds.observe(taken)


class Turns:
    """One request's place: its runs follow each other, so that one of many texts does not hold up the others."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._turn = asyncio.Lock()

    async def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """See `Explainer.run`."""
        async with self._turn:
            return await self._explainer.run(function, *arguments, **options)
