"""Who runs: a bounded queue, first come, first served, admitted while rows and the token budget allow."""

from __future__ import annotations

from collections import OrderedDict

from service.errors import QueueFullError
from service.request import Request

RETRY_AFTER_SECONDS = 1.0


class Scheduler:
    """Requests that wait for a row."""

    def __init__(self, max_waiting: int, max_encoder_tokens: int) -> None:
        """Bounds.

        Args:
            max_waiting: requests that may wait; one more is refused.
            max_encoder_tokens: padded source tokens encoded together. One longer source is still encoded, alone.
        """
        self.max_waiting = max_waiting
        self.max_encoder_tokens = max_encoder_tokens
        self._waiting: OrderedDict[int, Request] = OrderedDict()

    @property
    def num_waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def submit(self, request: Request) -> None:
        """Put a request at the end of the queue.

        Raises:
            QueueFullError: the queue is full; nothing was changed.
        """
        if self.num_waiting >= self.max_waiting:
            raise QueueFullError(self.max_waiting, RETRY_AFTER_SECONDS)
        self._waiting[request.id] = request

    def cancel(self, request_id: int) -> bool:
        """Take a request out of the queue; whether it was there."""
        return self._waiting.pop(request_id, None) is not None

    def take_expired(self, now_seconds: float) -> list[Request]:
        """Remove and return the requests whose deadline has passed."""
        expired = [
            request
            for request in self._waiting.values()
            if request.deadline_seconds is not None and request.deadline_seconds <= now_seconds
        ]
        for request in expired:
            del self._waiting[request.id]
        return expired

    def take(self, num_free_rows: int) -> list[Request]:
        """The next requests to admit, in order of arrival, within the free rows and the encoder's token budget."""
        taken: list[Request] = []
        longest = 0
        for request in self._waiting.values():
            longest = max(longest, len(request.source_ids))
            if len(taken) == num_free_rows or (taken and longest * (len(taken) + 1) > self.max_encoder_tokens):
                break
            taken.append(request)
        for request in taken:
            del self._waiting[request.id]
        return taken

    def take_all(self) -> list[Request]:
        """Empty the queue."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return waiting
