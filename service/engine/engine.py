"""The loop: admit, step, retire."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from service.engine.batch import Candidates, EncodedSource
from service.engine.kv_cache import Continuation, KVCache
from service.engine.runner import Runner
from service.engine.running import Running, expired, failed, num_used
from service.engine.scheduler import Scheduler
from service.engine_report import EngineLoad, StepReport
from service.errors import InvalidRequestError, QueueFullError, is_over
from service.request import Event, Request
from service.search.factory import build_search

NUM_RECENT_STEPS = 4


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
        self._arriving: dict[int, EncodedSource] = {}
        """Of those in `_running` that have no row yet, what the encoder makes of their sources."""
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
        """Requests that hold rows; those count for which rows are reserved."""
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

    def warm_up(self) -> None:
        """See `Runner.warm_up`."""
        self._runner.warm_up()

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
        """Admit waiting requests, decode one token for every row, retire what is finished.

        Where the runner encodes beside steps, who is admitted while rows run gets rows when this step is over.
        """
        events = self._expire()
        report = self._admit(events)
        num_rows = self._cache.num_rows
        if num_rows:
            stepping = [running for running in self._running.values() if running.rows]
            num_following = sum(running.first_token_seconds is not None for running in stepping)
            before, started = self._last_retired, self._clock()
            candidates = self._decode(stepping, events)
            report = replace(report, num_rows=num_rows, decode_seconds=self._clock() - started)
            if candidates is not None:
                self._retire(stepping, candidates, events)
                gap = self._last_retired - before
                report = replace(report, execution=candidates.execution, num_following=num_following, gap_seconds=gap)
        self._remember(report)
        return events

    def check_integrity(self) -> None:
        """Recount rows and queue; see `KVCache.check_integrity` and `Scheduler.check_integrity`."""
        self._cache.check_integrity({request_id: held.rows for request_id, held in self._running.items()})
        self._scheduler.check_integrity()
        assert self._arriving.keys() == {request_id for request_id, held in self._running.items() if not held.rows}
        reserved = sum(held.request.decoding.num_rows for held in self._running.values())
        assert self._cache.num_rows <= self._num_reserved_rows == reserved <= self._cache.max_rows

    def _expire(self) -> list[Event]:
        # What is not done when the next step ends is too late, so the step is not run for it. The shortest of the last
        # steps, for one that was held up says nothing of the next.
        now = self._clock() + min(self._recent_step_seconds, default=0.0)
        events: list[Event] = [expired(request) for request in self._scheduler.take_expired(now)]
        for running in list(self._running.values()):
            deadline = running.request.deadline_seconds
            if deadline is not None and deadline <= now:
                self._discard(running, "deadline")
                events.append(expired(running.request))
        return events

    def _remember(self, report: StepReport) -> None:
        self.last_step = report
        self._last_timestamp = time.time()
        self._recent_step_seconds.append(report.decode_seconds)
        if report.num_encoded:
            self._num_last_encoded = report.num_encoded

    def _admit(self, events: list[Event]) -> StepReport:
        self._open(events)  # who was encoded beside the step before
        report = self._encode_waiting(events)
        if not (self._runner.encodes_beside_steps and self._cache.num_rows):
            self._open(events)
        return report

    def _encode_waiting(self, events: list[Event]) -> StepReport:
        started = self._clock()
        requests = self._scheduler.take(self._cache.max_rows - self._num_reserved_rows, started)
        encoded = self._encode(requests, events)
        if not encoded:
            return StepReport()
        now = self._clock()
        for request, source in encoded:
            search = build_search(request.decoding, self._runner.vocabulary.end_id)
            self._running[request.id] = Running(request, search, started, now)
            self._arriving[request.id] = source
            self._num_reserved_rows += request.decoding.num_rows
        return StepReport(
            num_encoded=len(encoded),
            num_source_tokens=sum(source.length for _, source in encoded),
            num_padding_tokens=sum(source.num_padding for _, source in encoded),
            encode_seconds=now - started,
        )

    def _open(self, events: list[Event]) -> None:
        now = self._clock()
        arriving, self._arriving = self._arriving, {}
        for request_id, source in arriving.items():
            running = self._running[request_id]
            try:
                running.rows = [self._cache.open(request_id, source, self._runner.vocabulary.begin_id)]
                running.encoded_seconds = now
            except Exception as error:  # the state of others is whole
                self._release(running)
                events.append(failed(running.request, error))

    def _encode(self, requests: list[Request], events: list[Event]) -> list[tuple[Request, EncodedSource]]:
        if not requests:
            return []
        try:
            sources = self._runner.encode([request.source for request in requests])
        except Exception as error:  # whatever the model raises, the rest of the service goes on
            if len(requests) == 1:
                events.append(failed(requests[0], error))
                return []
            # One of them is to blame; the others are not.
            return [pair for request in requests for pair in self._encode([request], events)]
        return list(zip(requests, sources, strict=True))

    def _decode(self, stepping: list[Running], events: list[Event]) -> Candidates | None:
        needs = [running.search.needs() for running in stepping]
        num_candidates = max(need.num_candidates for need in needs)
        try:
            return self._runner.step(self._cache.batch(), num_candidates, any(need.is_full for need in needs))
        except Exception as error:  # the rows' state is unknown now, so all of them fail; who has none does not
            for running in stepping:
                self._discard(running, "failed")
                events.append(failed(running.request, error))
            return None

    def _retire(self, stepping: list[Running], candidates: Candidates, events: list[Event]) -> None:
        now = self._last_retired = self._clock()
        going_on: list[Running] = []
        continuations: list[Continuation] = []
        for running in stepping:
            if running.first_token_seconds is None:
                running.first_token_seconds = now
            running.num_decoded += len(running.rows)
            parents, token_ids = running.search.advance(candidates, [row.index for row in running.rows])
            if running.request.is_streaming:
                events += running.news()
            if parents:
                going_on.append(running)
                continuations.append(Continuation(running.rows, parents, token_ids))
            else:
                self._release(running)
                finished = running.finished(now)
                self.num_discarded["beam"] += max(0, running.num_decoded - num_used(finished))
                events.append(finished)
        for running, rows in zip(going_on, self._cache.advance(continuations), strict=True):
            running.rows = rows

    def _discard(self, running: Running, reason: str) -> None:
        self.num_discarded[reason] += running.num_decoded
        self._release(running)

    def _release(self, running: Running) -> None:
        del self._running[running.request.id]
        self._arriving.pop(running.request.id, None)
        self._num_reserved_rows -= running.request.decoding.num_rows
        self._cache.close(running.rows)
