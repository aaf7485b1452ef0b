"""The loop: admit, step, retire."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from service.engine.batch import Candidates, EncodedSource
from service.engine.kv_cache import Continuation, KVCache, Row
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler
from service.engine_report import EngineLoad, StepReport
from service.errors import DeadlineExceededError, EngineError, InvalidRequestError, QueueFullError, is_over
from service.request import Event, FailedEvent, FinishedEvent, Request, Timing, TokensEvent
from service.search.factory import build_search
from service.search.hypothesis import Search

NUM_RECENT_STEPS = 4


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
    num_decoded: int = 0
    """Tokens decoded in all its rows."""


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
        self.last_step = StepReport()
        self.num_discarded: Counter[str] = Counter()
        """Decoded tokens that nobody got, by reason."""
        self._recent_step_seconds: deque[float] = deque(maxlen=NUM_RECENT_STEPS)
        self._num_last_encoded = 0
        self._last_timestamp = self._last_retired = 0.0

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

    def load(self) -> EngineLoad:
        """How much there is to do; may be asked from any thread, and is exact only between steps."""
        return EngineLoad(
            num_running=self.num_running,
            num_waiting=self._scheduler.num_waiting_by_reason,
            queue_limit=self._scheduler.max_waiting,
            cache_usage=self._cache.usage(),
            num_rows={"encode": self._num_last_encoded, "decode": self._cache.num_rows},
            max_rows=self._cache.max_rows,
            last_step_timestamp=self._last_timestamp,
        )

    @property
    def max_waiting(self) -> int:
        """Requests that the queue holds."""
        return self._scheduler.max_waiting

    def num_free_places(self, num_unseen: int) -> int:
        """How many more requests may wait; from any thread. `num_unseen` are on their way into the queue."""
        return self.max_waiting - self._scheduler.num_waiting - num_unseen

    def refusal(self) -> QueueFullError:
        """What is told while there is no place."""
        return self._scheduler.refusal()

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
        deadline = running.request.deadline_seconds
        is_late = deadline is not None and is_over(deadline - self._clock())
        self._discard(running, "deadline" if is_late else "cancelled")
        return True

    def step(self) -> list[Event]:
        """Admit waiting requests, decode one token for every row, retire what is finished."""
        events = self._expire()
        report = self._admit(events)
        num_rows = self._cache.num_rows
        if num_rows:
            num_following = sum(running.first_token_seconds is not None for running in self._running.values())
            before, started = self._last_retired, self._clock()
            candidates = self._decode(events)
            report = replace(report, num_rows=num_rows, decode_seconds=self._clock() - started)
            if candidates is not None:
                self._retire(candidates, events)
                report = replace(report, num_following=num_following, gap_seconds=self._last_retired - before)
        self._remember(report)
        return events

    def check_integrity(self) -> None:
        """Recount rows and queue; see `KVCache.check_integrity` and `Scheduler.check_integrity`."""
        self._cache.check_integrity({request_id: held.rows for request_id, held in self._running.items()})
        self._scheduler.check_integrity()
        reserved = sum(held.request.decoding.num_rows for held in self._running.values())
        assert self._cache.num_rows <= self._num_reserved_rows == reserved <= self._cache.max_rows

    def _expire(self) -> list[Event]:
        # What is not done when the next step ends is too late, so the step is not run for it. The shortest of the last
        # steps, for one that was held up says nothing of the next.
        now = self._clock() + min(self._recent_step_seconds, default=0.0)
        events: list[Event] = [_expired(request) for request in self._scheduler.take_expired(now)]
        for running in list(self._running.values()):
            deadline = running.request.deadline_seconds
            if deadline is not None and deadline <= now:
                self._discard(running, "deadline")
                events.append(_expired(running.request))
        return events

    def _remember(self, report: StepReport) -> None:
        self.last_step = report
        self._last_timestamp = time.time()
        self._recent_step_seconds.append(report.decode_seconds)
        if report.num_encoded:
            self._num_last_encoded = report.num_encoded

    def _admit(self, events: list[Event]) -> StepReport:
        started = self._clock()
        requests = self._scheduler.take(self._cache.max_rows - self._num_reserved_rows, started)
        encoded = self._encode(requests, events)
        if not encoded:
            return StepReport()
        now = self._clock()
        vocabulary = self._runner.vocabulary
        for request, source in encoded:
            row = self._cache.open(request.id, source, vocabulary.begin_id)
            search = build_search(request.decoding, vocabulary.end_id)
            self._running[request.id] = Running(request, search, [row], started, now)
            self._num_reserved_rows += request.decoding.num_rows
        return StepReport(
            num_encoded=len(encoded),
            num_source_tokens=sum(source.length for _, source in encoded),
            num_padding_tokens=sum(source.num_padding for _, source in encoded),
            encode_seconds=now - started,
        )

    def _encode(self, requests: list[Request], events: list[Event]) -> list[tuple[Request, EncodedSource]]:
        if not requests:
            return []
        try:
            sources = self._runner.encode([request.source for request in requests])
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
                self._discard(running, "failed")
                events.append(FailedEvent(running.request.id, _failure(error)))
            return None

    def _retire(self, candidates: Candidates, events: list[Event]) -> None:
        now = self._last_retired = self._clock()
        going_on: list[Running] = []
        continuations: list[Continuation] = []
        for running in list(self._running.values()):
            if running.first_token_seconds is None:
                running.first_token_seconds = now
            running.num_decoded += len(running.rows)
            parents, token_ids = running.search.advance(candidates, [row.index for row in running.rows])
            if running.request.is_streaming:
                _tell(running, events)
            if parents:
                going_on.append(running)
                continuations.append(Continuation(running.rows, parents, token_ids))
            else:
                self._release(running)
                finished = _finished(running, now)
                self.num_discarded["beam"] += max(0, running.num_decoded - _num_used(finished))
                events.append(finished)
        for running, rows in zip(going_on, self._cache.advance(continuations), strict=True):
            running.rows = rows

    def _discard(self, running: Running, reason: str) -> None:
        self.num_discarded[reason] += running.num_decoded
        self._release(running)

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
        len(request.source),
        request.arrival_seconds,
        running.admitted_seconds,
        running.encoded_seconds,
        first_token,
        now,
    )
    return FinishedEvent(request.id, running.search.results(), timing)


def _num_used(event: FinishedEvent) -> int:
    """Tokens of the translations, ends of sentence counted; those that translations share are counted in each."""
    return sum(len(translation.token_log_probs) for translation in event.translations)


def _expired(request: Request) -> FailedEvent:
    return FailedEvent(request.id, DeadlineExceededError("the deadline passed before the translation was done"))


def _failure(error: Exception) -> EngineError:
    failure = EngineError("the model failed while running; see the server's log")
    failure.__cause__ = error
    return failure
