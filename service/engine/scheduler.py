"""Who runs: a bounded queue, admitted in order while rows and the encoder's token budget allow."""

from __future__ import annotations

import bisect

from service.errors import DeadlineExceededError, QueueFullError
from service.request import Priority, Request

BATCH_PATIENCE_SECONDS = 5.0
"""Interactive requests overtake batch requests that came up to this long before them; nothing waits for ever."""
RETRY_LIMITS_SECONDS = (0.1, 30.0)
_KEPT = 0.98
"""What an observation of the queue's speed counts when the next one comes: about fifty are remembered."""
_MIN_OBSERVED = 16
"""Requests that have to leave the queue before its speed is believed: the first may have waited for something else."""


class Scheduler:
    """Requests that wait for rows, first come, first served within a priority."""

    def __init__(self, max_waiting: int, max_encoder_tokens: int) -> None:
        """Bounds.

        Args:
            max_waiting: requests that may wait; one more is refused.
            max_encoder_tokens: padded source tokens, or cells of pictures, encoded together. One longer source is still
                encoded, alone.
        """
        self.max_waiting = max_waiting
        self.max_encoder_tokens = max_encoder_tokens
        self._order: list[tuple[float, int]] = []
        self._waiting: dict[int, Request] = {}
        self._busy_seconds = self._num_left = 0.0
        self._busy_since: float | None = None
        self._waits_for = "rows"

    @property
    def num_waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def num_waiting_by_reason(self) -> dict[str, int]:
        """Requests in the queue, by what stopped the last admission: rows, or the encoder's token budget."""
        return {reason: self.num_waiting if reason == self._waits_for else 0 for reason in ("rows", "encoder")}

    @property
    def expected_wait_seconds(self) -> float:
        """How long the last in the queue will wait, by how fast the queue moved of late."""
        return self.num_waiting * self._seconds_per_request

    @property
    def _seconds_per_request(self) -> float:
        """By how fast a queue that was never empty moved; 0 until enough was seen."""
        return self._busy_seconds / self._num_left if self._num_left >= _MIN_OBSERVED else 0.0

    def refusal(self) -> QueueFullError:
        """What is told while the queue is full."""
        least, most = RETRY_LIMITS_SECONDS
        return QueueFullError(self.max_waiting, min(most, max(least, self.expected_wait_seconds / 2)))

    def submit(self, request: Request, now_seconds: float) -> None:
        """Put a request in the queue.

        Raises:
            QueueFullError: the queue is full; nothing was changed.
            DeadlineExceededError: its deadline will pass before its turn comes.
        """
        if self.num_waiting >= self.max_waiting:
            raise self.refusal()
        num_before = bisect.bisect_left(self._order, _place(request))
        wait = num_before * self._seconds_per_request
        if request.deadline_seconds is not None and wait and now_seconds + wait > request.deadline_seconds:
            raise DeadlineExceededError(f"the deadline cannot be met: about {wait:.1f} s of work wait before this")
        self._waiting[request.id] = request
        bisect.insort(self._order, _place(request))

    def cancel(self, request_id: int) -> bool:
        """Take a request out of the queue; whether it was there."""
        request = self._waiting.get(request_id)
        if request is None:
            return False
        self._remove(request)
        return True

    def take_expired(self, now_seconds: float) -> list[Request]:
        """Remove and return the requests whose deadline has passed."""
        expired = [
            request
            for request in self._waiting.values()
            if request.deadline_seconds is not None and request.deadline_seconds <= now_seconds
        ]
        for request in expired:
            self._remove(request)
        return expired

    def take(self, num_free_rows: int, now_seconds: float) -> list[Request]:
        """The next requests to admit, in order, within the free rows and the encoder's token budget.

        A request that needs more rows than are free is waited for, so that narrow ones never starve it.
        """
        taken: list[Request] = []
        longest = 0
        for _, request_id in self._order:
            request = self._waiting[request_id]
            longest = max(longest, len(request.source))
            num_free_rows -= request.decoding.num_rows
            is_long = bool(taken) and longest * (len(taken) + 1) > self.max_encoder_tokens
            if num_free_rows < 0 or is_long:
                self._waits_for = "rows" if num_free_rows < 0 else "encoder"
                break
            taken.append(request)
        for request in taken:
            self._remove(request)
        self._learn(len(taken), now_seconds)
        return taken

    def check_integrity(self) -> None:
        """Recount the queue.

        Raises:
            AssertionError: the books are wrong.
        """
        assert self._order == sorted(map(_place, self._waiting.values()))
        assert self.num_waiting <= self.max_waiting

    def _remove(self, request: Request) -> None:
        del self._waiting[request.id]
        self._order.pop(bisect.bisect_left(self._order, _place(request)))

    def _learn(self, num_taken: int, now_seconds: float) -> None:
        """Measure how fast requests leave a queue that does not run empty."""
        if num_taken and self._busy_since is not None:
            # The ratio of sums, not the mean of ratios: one that waited long says little beside many that did not.
            self._busy_seconds = _KEPT * self._busy_seconds + now_seconds - self._busy_since
            self._num_left = _KEPT * self._num_left + num_taken
        if num_taken or not self.num_waiting:
            self._busy_since = now_seconds if self.num_waiting else None


def _place(request: Request) -> tuple[float, int]:
    """Where a request stands: by arrival, as if batch requests came later than they did."""
    patience = BATCH_PATIENCE_SECONDS if request.priority is Priority.BATCH else 0.0
    return request.arrival_seconds + patience, request.id
