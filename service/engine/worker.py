"""The only thread that runs the model: asyncio on one side, the engine on the other."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from service.engine.engine import Engine
from service.errors import EngineError, ServiceError, UnavailableError
from service.metrics import EngineMetrics, Metrics
from service.request import DecodingOptions, Event, FailedEvent, FinishedEvent, Priority, Request, TokensEvent

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Submit:
    request: Request


@dataclass(frozen=True)
class _Cancel:
    request_id: int


class _Stop:
    pass


_Command = _Submit | _Cancel | _Stop


class Worker:
    """Feeds one engine from an event loop and brings its events back. Start it on the loop that will use it."""

    def __init__(self, name: str, engine: Engine, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        """`on_failure` is called on the event loop if the engine's thread dies."""
        self._name = name
        self._engine = engine
        self._metrics = EngineMetrics(metrics, name)
        self._on_failure = on_failure
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._subscribers: dict[int, asyncio.Queue[Event]] = {}
        self._ids = itertools.count(1)
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_accepting = True

    @property
    def num_unfinished(self) -> int:
        """Requests that somebody waits for."""
        return len(self._subscribers)

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Refuse new requests, end the thread; what is unfinished fails with UnavailableError."""
        self._is_accepting = False
        self._inbox.put(_Stop())
        await asyncio.to_thread(self._thread.join)
        self._fail_all(UnavailableError("the service is shutting down"))

    async def translate(
        self,
        source_ids: tuple[int, ...],
        decoding: DecodingOptions,
        deadline_seconds: float | None,
        priority: Priority = Priority.INTERACTIVE,
        is_streaming: bool = False,
    ) -> AsyncGenerator[TokensEvent | FinishedEvent]:
        """Run one sentence. Closing the generator early cancels it, and its rows are free at the next step.

        Args:
            source_ids: end of sentence included.
            decoding: how to choose.
            deadline_seconds: on the clock of time.monotonic.
            priority: who goes first when rows are scarce.
            is_streaming: give tokens as they become certain, not only the end.

        Raises:
            ServiceError: the queue is full, the deadline passed, or the model failed.
        """
        if not self._is_accepting:
            raise UnavailableError("the service is shutting down")
        request = Request(
            next(self._ids), source_ids, decoding, time.monotonic(), deadline_seconds, priority, is_streaming
        )
        events: asyncio.Queue[Event] = asyncio.Queue()
        self._subscribers[request.id] = events
        self._inbox.put(_Submit(request))
        is_over = False
        try:
            while not is_over:
                event = await events.get()
                is_over = not isinstance(event, TokensEvent)
                if isinstance(event, FailedEvent):
                    raise event.error
                yield event
        finally:
            self._subscribers.pop(request.id, None)
            if not is_over:
                self._inbox.put(_Cancel(request.id))
                self._metrics.count_failure("CANCELLED")

    def _run(self) -> None:
        try:
            while self._obey():
                events = self._engine.step()
                self._publish(events)
                self._observe(events)
        except Exception:
            logger.exception("the engine of %s stopped", self._name)
            self._is_accepting = False
            self._on_loop(self._fail_all, EngineError("the engine stopped; see the server's log"))
            self._on_loop(self._on_failure)

    def _obey(self) -> bool:
        """Carry out commands, waiting for one while the engine has nothing to do; False to stop."""
        while True:
            try:
                command = self._inbox.get(block=not self._engine.has_work)
            except queue.Empty:
                return True
            if isinstance(command, _Stop):
                return False
            if isinstance(command, _Cancel):
                self._engine.cancel(command.request_id)
                self._observe_load()
            else:
                self._submit(command.request)

    def _submit(self, request: Request) -> None:
        try:
            self._engine.submit(request)
        except ServiceError as error:
            event = FailedEvent(request.id, error)
            self._publish([event])
            self._observe_requests([event])

    def _publish(self, events: list[Event]) -> None:
        if events:
            self._on_loop(self._deliver, events)

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            subscriber = self._subscribers.get(event.request_id)
            if subscriber is not None:
                subscriber.put_nowait(event)

    def _fail_all(self, error: Exception) -> None:
        self._deliver([FailedEvent(request_id, error) for request_id in self._subscribers])

    def _on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _observe(self, events: list[Event]) -> None:
        metrics, report = self._metrics, self._engine.last_step
        metrics.last_step.set(time.time())
        if report.num_encoded:
            metrics.encode_rows.set(report.num_encoded)
            metrics.encode_seconds.observe(report.encode_seconds)
            metrics.source_tokens.inc(report.num_source_tokens)
            metrics.padding_tokens.inc(report.num_padding_tokens)
        if report.num_rows:
            metrics.decode_rows.set(report.num_rows)
            metrics.decode_seconds.observe(report.decode_seconds)
            metrics.target_tokens.inc(report.num_rows)
        self._observe_load()
        self._observe_requests(events)

    def _observe_load(self) -> None:
        self._metrics.running.set(self._engine.num_running)
        self._metrics.waiting.set(self._engine.num_waiting)
        self._metrics.cache_usage.set(self._engine.cache_usage_ratio)

    def _observe_requests(self, events: list[Event]) -> None:
        metrics = self._metrics
        for event in events:
            if isinstance(event, TokensEvent):
                continue
            if isinstance(event, FailedEvent):
                metrics.count_failure(event.error.reason if isinstance(event.error, ServiceError) else "INTERNAL")
                if event.error.__cause__ is not None:
                    logger.error("request %d failed", event.request_id, exc_info=event.error.__cause__)
                continue
            timing, best = event.timing, event.translations[0]
            metrics.count_success(best.finish_reason.value)
            metrics.latency.observe(timing.finished - timing.arrival)
            metrics.first_token.observe(timing.first_token - timing.arrival)
            metrics.queue_time.observe(timing.admitted - timing.arrival)
            metrics.encode_time.observe(timing.encoded - timing.admitted)
            metrics.decode_time.observe(timing.finished - timing.encoded)
            metrics.request_source.observe(timing.num_source_tokens)
            metrics.request_target.observe(len(best.token_ids))
