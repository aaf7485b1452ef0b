"""The loop: admit, step, retire."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service.engine.batch import Candidates
from service.engine.kv_cache import KVCache
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler
from service.errors import DeadlineExceededError, EngineError
from service.request import (
    Event,
    FailedEvent,
    FinishedEvent,
    FinishReason,
    Request,
    Timing,
    TokenEvent,
    Translation,
)
from service.search.selection import Choice, Selection


@dataclass
class Hypothesis:
    """A running translation and its row."""

    request: Request
    row: int
    selection: Selection
    admitted_seconds: float
    encoded_seconds: float
    first_token_seconds: float | None = None
    token_ids: list[int] = field(default_factory=list)
    token_log_probs: list[float] = field(default_factory=list)


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
        self._running: dict[int, Hypothesis] = {}
        self.last_step = StepReport(0, 0, 0, 0.0, 0, 0.0)

    @property
    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        return bool(self._running) or self._scheduler.num_waiting > 0

    @property
    def num_running(self) -> int:
        """Requests that hold a row."""
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
            QueueFullError: too many are waiting.
        """
        self._scheduler.submit(request)

    def cancel(self, request_id: int) -> bool:
        """Forget a request and free its row at once; whether it was known."""
        hypothesis = self._running.get(request_id)
        if hypothesis is None:
            return self._scheduler.cancel(request_id)
        self._release(hypothesis)
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
        """Recount rows; see `KVCache.check_integrity`."""
        self._cache.check_integrity({request_id: held.row for request_id, held in self._running.items()})

    def _expire(self) -> list[Event]:
        now = self._clock()
        events: list[Event] = [_expired(request) for request in self._scheduler.take_expired(now)]
        for hypothesis in list(self._running.values()):
            deadline = hypothesis.request.deadline_seconds
            if deadline is not None and deadline <= now:
                self._release(hypothesis)
                events.append(_expired(hypothesis.request))
        return events

    def _admit(self, events: list[Event]) -> tuple[int, int, int, float]:
        requests = self._scheduler.take(self._cache.num_free_rows)
        if not requests:
            return 0, 0, 0, 0.0
        started = self._clock()
        try:
            encoded = self._runner.encode([request.source_ids for request in requests])
        except Exception as error:  # whatever the model raises, the rest of the service goes on
            events += [FailedEvent(request.id, _failure(error)) for request in requests]
            return 0, 0, 0, 0.0
        now = self._clock()
        for request, source in zip(requests, encoded, strict=True):
            row = self._cache.add(request.id, source, self._runner.vocabulary.begin_id)
            selection = Selection(request.decoding, self._runner.vocabulary.end_id)
            self._running[request.id] = Hypothesis(request, row, selection, started, now)
        lengths = [len(request.source_ids) for request in requests]
        return len(requests), sum(lengths), max(lengths) * len(requests) - sum(lengths), now - started

    def _decode(self, events: list[Event]) -> Candidates | None:
        selections = [hypothesis.selection for hypothesis in self._running.values()]
        num_candidates = max(selection.num_candidates for selection in selections)
        needs_all = any(selection.needs_all for selection in selections)
        try:
            return self._runner.step(self._cache.batch(), num_candidates, needs_all)
        except Exception as error:  # the rows' state is unknown now, so all of them fail; waiting requests do not
            for hypothesis in list(self._running.values()):
                self._release(hypothesis)
                events.append(FailedEvent(hypothesis.request.id, _failure(error)))
            return None

    def _retire(self, candidates: Candidates, events: list[Event]) -> None:
        now = self._clock()
        # Rows move when one retires: choose for all of them first.
        choices = [(held, held.selection.choose(candidates, held.row)) for held in self._running.values()]
        for hypothesis, choice in choices:
            if hypothesis.first_token_seconds is None:
                hypothesis.first_token_seconds = now
            reason = self._accept(hypothesis, choice, events)
            if reason is not None:
                self._release(hypothesis)
                events.append(_finished(hypothesis, reason, now))

    def _accept(self, hypothesis: Hypothesis, choice: Choice, events: list[Event]) -> FinishReason | None:
        """Append the chosen token; why the hypothesis is finished, or None."""
        hypothesis.token_log_probs.append(choice.log_prob)
        if choice.token_id == self._runner.vocabulary.end_id:
            return FinishReason.END
        hypothesis.token_ids.append(choice.token_id)
        events.append(TokenEvent(hypothesis.request.id, choice.token_id))
        if len(hypothesis.token_ids) >= hypothesis.request.decoding.max_target_tokens:
            return FinishReason.LENGTH
        self._cache.advance(hypothesis.row, choice.token_id)
        return None

    def _release(self, hypothesis: Hypothesis) -> None:
        del self._running[hypothesis.request.id]
        moved = self._cache.retire(hypothesis.row)
        if moved is not None:
            self._running[moved].row = hypothesis.row


def _finished(hypothesis: Hypothesis, reason: FinishReason, now: float) -> FinishedEvent:
    request = hypothesis.request
    first_token = now if hypothesis.first_token_seconds is None else hypothesis.first_token_seconds
    timing = Timing(
        len(request.source_ids),
        request.arrival_seconds,
        hypothesis.admitted_seconds,
        hypothesis.encoded_seconds,
        first_token,
        now,
    )
    translation = Translation(tuple(hypothesis.token_ids), tuple(hypothesis.token_log_probs), reason)
    return FinishedEvent(request.id, translation, timing)


def _expired(request: Request) -> FailedEvent:
    return FailedEvent(request.id, DeadlineExceededError("the deadline passed before the translation was done"))


def _failure(error: Exception) -> EngineError:
    failure = EngineError("the model failed while running; see the server's log")
    failure.__cause__ = error
    return failure
