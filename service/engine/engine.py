"""The loop: admit, step, retire."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from service.engine.batch import Candidates, EncodedSource
from service.engine.kv_cache import Continuation, KVCache, Row
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler
from service.errors import DeadlineExceededError, EngineError, InvalidRequestError
from service.request import Event, FailedEvent, FinishedEvent, Request, Timing, TokensEvent
from service.search.factory import build_search
from service.search.hypothesis import Search


@dataclass
class Running:
    """A request that is being translated, and its rows, one for each of its hypotheses."""

    request: Request
    search: Search
    rows: list[Row]
    admitted_seconds: float
    encoded_seconds: float
    first_token_seconds: float | None = None
    num_told: int = 0
    """Tokens that events have told."""


@dataclass(frozen=True)
class StepReport:
    """What one step did, for metrics; durations in seconds, zero where a phase did not run."""

    num_encoded: int
    num_source_tokens: int
    num_padding_tokens: int
    encode_seconds: float
    num_rows: int
    decode_seconds: float


class Engine:
    """Continuous batching over one model at token granularity. Not thread-safe: one thread owns it."""

    def __init__(
        self,
        runner: Runner,
        cache: KVCache,
        scheduler: Scheduler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._cache = cache
        self._scheduler = scheduler
        self._clock = clock
        self._running: dict[int, Running] = {}
        self._num_reserved_rows = 0
        self.last_step = StepReport(0, 0, 0, 0.0, 0, 0.0)

    @property
    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        return bool(self._running) or self._scheduler.num_waiting > 0

    @property
    def num_running(self) -> int:
        """Requests that hold rows."""
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        """Requests in the queue."""
        return self._scheduler.num_waiting

    @property
    def cache_usage_ratio(self) -> float:
        """Share of the cache's target positions in use."""
        return self._cache.usage_ratio

    def submit(self, request: Request) -> None:
        """Queue a request.

        Raises:
            InvalidRequestError: it needs more rows than there are.
            QueueFullError: too many are waiting.
            DeadlineExceededError: its deadline will pass before its turn comes.
        """
        num_rows = request.decoding.num_rows
        if num_rows > self._cache.max_rows:
            raise InvalidRequestError.of(
                "decoding.beam_size", f"{num_rows} hypotheses side by side; the model has {self._cache.max_rows} rows"
            )
        self._scheduler.submit(request, self._clock())

    def cancel(self, request_id: int) -> bool:
        """Forget a request and free its rows at once; whether it was known."""
        running = self._running.get(request_id)
        if running is None:
            return self._scheduler.cancel(request_id)
        self._release(running)
        return True

    def step(self) -> list[Event]:
        """Admit waiting requests, decode one token for every row, retire what is finished."""
        events = self._expire()
        encode_report = self._admit(events)
        num_rows, decode_seconds = self._cache.num_rows, 0.0
        if num_rows:
            started = self._clock()
            candidates = self._decode(events)
            decode_seconds = self._clock() - started
            if candidates is not None:
                self._retire(candidates, events)
        self.last_step = StepReport(*encode_report, num_rows, decode_seconds)
        return events

    def check_integrity(self) -> None:
        """Recount rows and queue; see `KVCache.check_integrity` and `Scheduler.check_integrity`."""
        self._cache.check_integrity({request_id: held.rows for request_id, held in self._running.items()})
        self._scheduler.check_integrity()
        reserved = sum(held.request.decoding.num_rows for held in self._running.values())
        assert self._cache.num_rows <= self._num_reserved_rows == reserved <= self._cache.max_rows

    def _expire(self) -> list[Event]:
        # What is not done when the next step ends is too late, so the step is not run for it.
        now = self._clock() + self.last_step.decode_seconds
        events: list[Event] = [_expired(request) for request in self._scheduler.take_expired(now)]
        for running in list(self._running.values()):
            deadline = running.request.deadline_seconds
            if deadline is not None and deadline <= now:
                self._release(running)
                events.append(_expired(running.request))
        return events

    def _admit(self, events: list[Event]) -> tuple[int, int, int, float]:
        started = self._clock()
        requests = self._scheduler.take(self._cache.max_rows - self._num_reserved_rows, started)
        encoded = self._encode(requests, events)
        if not encoded:
            return 0, 0, 0, 0.0
        now = self._clock()
        vocabulary = self._runner.vocabulary
        for request, source in encoded:
            row = self._cache.open(request.id, source, vocabulary.begin_id)
            search = build_search(request.decoding, vocabulary.end_id)
            self._running[request.id] = Running(request, search, [row], started, now)
            self._num_reserved_rows += request.decoding.num_rows
        num_source_tokens = sum(source.length for _, source in encoded)
        num_padding_tokens = sum(source.num_padding for _, source in encoded)
        return len(encoded), num_source_tokens, num_padding_tokens, now - started

    def _encode(self, requests: list[Request], events: list[Event]) -> list[tuple[Request, EncodedSource]]:
        if not requests:
            return []
        try:
            sources = self._runner.encode([request.source_ids for request in requests])
        except Exception as error:  # whatever the model raises, the rest of the service goes on
            if len(requests) == 1:
                events.append(FailedEvent(requests[0].id, _failure(error)))
                return []
            # One of them is to blame; the others are not.
            return [pair for request in requests for pair in self._encode([request], events)]
        return list(zip(requests, sources, strict=True))

    def _decode(self, events: list[Event]) -> Candidates | None:
        needs = [running.search.needs() for running in self._running.values()]
        num_candidates = max(need.num_candidates for need in needs)
        try:
            return self._runner.step(self._cache.batch(), num_candidates, any(need.is_full for need in needs))
        except Exception as error:  # the rows' state is unknown now, so all of them fail; waiting requests do not
            for running in list(self._running.values()):
                self._release(running)
                events.append(FailedEvent(running.request.id, _failure(error)))
            return None

    def _retire(self, candidates: Candidates, events: list[Event]) -> None:
        now = self._clock()
        going_on: list[Running] = []
        continuations: list[Continuation] = []
        for running in list(self._running.values()):
            if running.first_token_seconds is None:
                running.first_token_seconds = now
            parents, token_ids = running.search.advance(candidates, [row.index for row in running.rows])
            if running.request.is_streaming:
                _tell(running, events)
            if parents:
                going_on.append(running)
                continuations.append(Continuation(running.rows, parents, token_ids))
            else:
                self._release(running)
                events.append(_finished(running, now))
        for running, rows in zip(going_on, self._cache.advance(continuations), strict=True):
            running.rows = rows

    def _release(self, running: Running) -> None:
        del self._running[running.request.id]
        self._num_reserved_rows -= running.request.decoding.num_rows
        self._cache.close(running.rows)


def _tell(running: Running, events: list[Event]) -> None:
    certain = running.search.certain()
    if len(certain) > running.num_told:
        events.append(TokensEvent(running.request.id, certain[running.num_told :]))
        running.num_told = len(certain)


def _finished(running: Running, now: float) -> FinishedEvent:
    request = running.request
    first_token = now if running.first_token_seconds is None else running.first_token_seconds
    timing = Timing(
        len(request.source_ids),
        request.arrival_seconds,
        running.admitted_seconds,
        running.encoded_seconds,
        first_token,
        now,
    )
    return FinishedEvent(request.id, running.search.results(), timing)


def _expired(request: Request) -> FailedEvent:
    return FailedEvent(request.id, DeadlineExceededError("the deadline passed before the translation was done"))


def _failure(error: Exception) -> EngineError:
    failure = EngineError("the model failed while running; see the server's log")
    failure.__cause__ = error
    return failure
