"""The only thread that runs the model: asyncio on one side, the engine on the other."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace

from service import request_context
from service.engine.engine import Engine
from service.engine_report import EngineLoad, StepReport
from service.errors import DeadlineExceededError, EngineError, ServiceError, ShuttingDownError, is_over
from service.metrics.engine_metrics import EngineMetrics
from service.metrics.families import Metrics
from service.request import DecodingOptions, Event, FailedEvent, FinishedEvent, Priority, Request, Source, TokensEvent
from service.request_context import RequestContext

logger = logging.getLogger(__name__)

JOIN_SECONDS = 5.0
"""For the step under way to end; one that hangs is left behind."""


@dataclass(frozen=True)
class _Submit:
    request: Request


@dataclass(frozen=True)
class _Cancel:
    request_id: int


class _Stop:
    pass


_Command = _Submit | _Cancel | _Stop


@dataclass
class _Subscriber:
    """Who waits for a sentence."""

    request: Request
    is_settled: bool = False
    """Whether its end was counted."""
    context: RequestContext = field(default_factory=request_context.current)
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)


class Worker:
    """Feeds one engine from an event loop and brings its events back. Start it on the loop that will use it."""

    def __init__(self, name: str, engine: Engine, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        """`on_failure` is called on the event loop if the engine's thread dies."""
        self.name = name
        self._engine = engine
        self._on_failure = on_failure
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._reports: deque[StepReport] = deque()
        """Of steps since the last event or scrape: a step without news does not wake the event loop."""
        self._observing = threading.Lock()
        self._subscribers: dict[int, _Subscriber] = {}
        self._late: dict[int, Request] = {}
        """Sentences of texts that have begun, for which the queue has no place yet; at most as many as it holds."""
        self._ids = itertools.count(1)
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_accepting = True
        self.has_failed = False
        """Whether the engine's thread ended by an error."""
        self._moved_seconds = time.monotonic()
        self._metrics = EngineMetrics(metrics, self)

    @property
    def num_unfinished(self) -> int:
        """Requests that somebody waits for."""
        return len(self._subscribers)

    def load(self) -> EngineLoad:
        """How much the engine has to do, and what it did goes to the metrics; from any thread."""
        self._observe_steps()
        load = self._engine.load()
        return replace(load, num_waiting={**load.num_waiting, "step": self._num_unseen(), "queue": len(self._late)})

    def check_room(self) -> None:
        """Before a text is begun. Sentences of one that has begun wait for a place in the queue.

        If they were refused, the work on the text's others would be vain, and under load clients that try again would
        keep the engine busy with work that nobody gets.

        Raises:
            QueueFullError: the queue is full.
        """
        if not self.has_room:
            raise self._engine.refusal()

    @property
    def has_room(self) -> bool:
        """Whether another text may begin."""
        return not self._late and self._engine.num_free_places(self._num_unseen()) > 0

    def _num_unseen(self) -> int:
        """Requests that came during the step that is under way; all of them, while an engine hangs."""
        num_known = self._engine.num_running + self._engine.num_waiting + len(self._late)
        return max(0, len(self._subscribers) - num_known)

    def is_healthy(self, stall_seconds: float) -> bool:
        """Whether the engine's thread lives and, where it has work, has moved within that time."""
        if self.has_failed:
            return False
        return not self._subscribers or time.monotonic() - self._moved_seconds < stall_seconds

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Refuse new requests, fail what is unfinished with ShuttingDownError, end the thread."""
        self._is_accepting = False
        self._fail_all(ShuttingDownError("the service is shutting down; the time to finish was over"))
        self._inbox.put(_Stop())
        deadline = time.monotonic() + JOIN_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        if self._thread.is_alive():
            logger.error("the engine of %s hangs; it is left behind", self.name)
        self._observe_steps()
        self._metrics.close()

    async def translate(
        self,
        source: Source,
        decoding: DecodingOptions,
        deadline_seconds: float | None,
        priority: Priority = Priority.INTERACTIVE,
        is_streaming: bool = False,
    ) -> AsyncGenerator[TokensEvent | FinishedEvent]:
        """Run one sentence. Closing the generator early cancels it, and its rows are free at the next step.

        Args:
            source: ids, end of sentence included, or a picture.
            decoding: how to choose.
            deadline_seconds: on the clock of time.monotonic.
            priority: who goes first when rows are scarce.
            is_streaming: give tokens as they become certain, not only the end.

        Raises:
            ServiceError: the queue is full, the deadline passed, or the model failed.
        """
        if self.has_failed:
            raise EngineError("the engine stopped; see the server's log")
        if not self._is_accepting:
            raise ShuttingDownError
        if len(self._late) >= self._engine.max_waiting:  # of texts that began in one moment
            raise self._engine.refusal()
        request = Request(next(self._ids), source, decoding, time.monotonic(), deadline_seconds, priority, is_streaming)
        if not self._subscribers:
            self._moved_seconds = time.monotonic()
        self._late[request.id] = request
        subscriber = self._subscribers[request.id] = _Subscriber(request)
        self._submit_late()
        is_over = False
        try:
            while not is_over:
                event = await subscriber.events.get()
                is_over = not isinstance(event, TokensEvent)
                if isinstance(event, FailedEvent):
                    raise event.error
                yield event
        finally:
            self._subscribers.pop(request.id, None)
            if not is_over and self._late.pop(request.id, None) is None:
                self._inbox.put(_Cancel(request.id))
            self._submit_late()
            if not is_over and not subscriber.is_settled:
                self._count_failure(subscriber, reason_to_leave(deadline_seconds))

    def _submit_late(self) -> None:
        """First come, first served; whenever a request came, or one left that was counted."""
        num_places = self._engine.num_free_places(self._num_unseen())
        for request_id in list(itertools.islice(self._late, max(0, num_places))):
            self._inbox.put(_Submit(self._late.pop(request_id)))

    def _run(self) -> None:
        try:
            self._engine.warm_up()
            while self._obey():
                events = self._engine.step()
                self._moved_seconds = time.monotonic()
                self._reports.append(self._engine.last_step)
                self._publish(events)
        except Exception as error:
            logger.exception("the engine of %s stopped: %s", self.name, error)
            self.has_failed = True
            self._on_loop(self._fail_all, EngineError("the engine stopped; see the server's log"))
            self._on_loop(self._on_failure)

    def _obey(self) -> bool:
        """Carry out commands, waiting for one while the engine has nothing to do; False to stop."""
        while True:
            try:
                command = self._inbox.get(block=not self._engine.has_work)
            except queue.Empty:
                return True
            self._moved_seconds = time.monotonic()
            if isinstance(command, _Stop):
                return False
            if isinstance(command, _Cancel):
                self._engine.cancel(command.request_id)
                if self._late:
                    self._on_loop(self._submit_late)
            else:
                self._submit(command.request)

    def _submit(self, request: Request) -> None:
        try:
            self._engine.submit(request)
        except ServiceError as error:
            self._publish([FailedEvent(request.id, error)])

    def _publish(self, events: list[Event]) -> None:
        if events:
            self._on_loop(self._deliver, events)

    def _deliver(self, events: list[Event]) -> None:
        self._observe_steps()
        for event in events:
            subscriber = self._subscribers.get(event.request_id)
            if subscriber is None:
                continue  # cancelled, and counted as that
            subscriber.events.put_nowait(event)
            subscriber.is_settled = not isinstance(event, TokensEvent)
            if isinstance(event, FinishedEvent):
                self._observe_success(event, subscriber)
            elif isinstance(event, FailedEvent):
                self._observe_failure(event, subscriber)

    def _fail_all(self, error: Exception) -> None:
        self._late.clear()
        self._deliver([FailedEvent(request_id, error) for request_id in self._subscribers])

    def _on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _observe_steps(self) -> None:
        with self._observing:
            while self._reports:
                self._metrics.observe_step(self._reports.popleft())
            self._metrics.observe_discarded(self._engine.num_discarded)

    def _observe_success(self, event: FinishedEvent, subscriber: _Subscriber) -> None:
        span = subscriber.context.span
        self._metrics.observe_success(event, subscriber.request.decoding.num_rows, span.trace_id)
        span.sentence(self.name, event.timing, len(event.translations[0].token_ids))

    def _observe_failure(self, event: FailedEvent, subscriber: _Subscriber) -> None:
        error = event.error
        self._count_failure(subscriber, error.reason if isinstance(error, ServiceError) else "INTERNAL")
        if error.__cause__ is not None:
            cause, request_id = error.__cause__, subscriber.context.request_id
            logger.error("a sentence failed: %s", cause, exc_info=cause, extra={"request_id": request_id})

    def _count_failure(self, subscriber: _Subscriber, reason: str) -> None:
        request = subscriber.request
        self._metrics.count_failure(reason)
        subscriber.context.span.failed_sentence(self.name, request.arrival_seconds, len(request.source), reason)


def reason_to_leave(deadline_seconds: float | None) -> str:
    """Why somebody waits no more: the deadline, on the clock of time.monotonic, or a change of mind."""
    is_late = deadline_seconds is not None and is_over(deadline_seconds - time.monotonic())
    return DeadlineExceededError.reason if is_late else "CANCELLED"
