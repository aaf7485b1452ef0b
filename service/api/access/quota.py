"""What one client may use: RPCs at a time, and source tokens a minute."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from service.errors import QuotaExceededError

RETRY_SECONDS = 1.0
"""When to ask again for a slot: nobody knows when an RPC ends."""
_AFTER_ZERO_SECONDS = 0.001
"""At zero the balance is not positive yet; clients are told whole milliseconds, rounded down."""
_LONGEST_SLEEP_SECONDS = 1.0
"""So that who waits notices raised limits."""


class Quota:
    """Slots, and a token bucket that holds a minute's worth and fills continuously; no limit where it is None.

    Work is let in while the balance is positive. What it costs is spent afterwards, and may leave a debt that is worked
    off before more is let in: nothing is estimated and no request fails half-way. Any thread may spend.
    """

    def __init__(
        self,
        max_concurrent: int | None = None,
        max_source_tokens_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._max_concurrent = max_concurrent
        self._in_use = 0
        self._per_minute = max_source_tokens_per_minute
        self._balance = float(max_source_tokens_per_minute or 0)
        self._filled_at = clock()

    def enter(self) -> None:
        """Take a slot, which `leave` gives back.

        Raises:
            QuotaExceededError: there is none, or the balance is not positive; says when it will be.
        """
        with self._lock:
            if self._max_concurrent is not None and self._in_use >= self._max_concurrent:
                raise QuotaExceededError(
                    "max_concurrent_requests",
                    f"the client has {self._max_concurrent} requests running, as many as it may",
                    RETRY_SECONDS,
                )
            seconds = self._seconds_until_positive()
            if seconds > 0:
                raise QuotaExceededError(
                    "max_source_tokens_per_minute",
                    f"the client has used up its {self._per_minute} source tokens per minute",
                    seconds,
                )
            self._in_use += 1

    def leave(self) -> None:
        """Give a slot back."""
        with self._lock:
            assert self._in_use > 0
            self._in_use -= 1

    def spend(self, num_source_tokens: int) -> None:
        """Count what was used; never fails."""
        with self._lock:
            if self._per_minute is not None:
                self._fill(self._per_minute)
                self._balance -= num_source_tokens

    async def wait(self) -> None:
        """Until the balance is positive: before each item of a long stream, which was let in only once."""
        while True:
            with self._lock:
                seconds = self._seconds_until_positive()
            if seconds <= 0:
                return
            await asyncio.sleep(min(seconds, _LONGEST_SLEEP_SECONDS))

    def change_limits(self, max_concurrent: int | None, max_source_tokens_per_minute: int | None) -> None:
        """Slots in use stay in use; the balance stays as far as the new bucket holds it, and a debt stays whole."""
        with self._lock:
            self._max_concurrent = max_concurrent
            before, self._per_minute = self._per_minute, max_source_tokens_per_minute
            if before is not None:
                self._fill(before)
            elif max_source_tokens_per_minute is not None:
                self._balance, self._filled_at = float(max_source_tokens_per_minute), self._clock()

    def _fill(self, per_minute: int) -> None:
        now = self._clock()
        self._balance = min(float(per_minute), self._balance + (now - self._filled_at) * per_minute / 60)
        self._filled_at = now

    def _seconds_until_positive(self) -> float:
        if self._per_minute is None:
            return 0.0
        self._fill(self._per_minute)
        if self._balance > 0:
            return 0.0
        return -self._balance * 60 / self._per_minute + _AFTER_ZERO_SECONDS
