"""What all RPCs share: who may come in, how many at a time, and whether the service still takes work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from service.api.access.access import Access
from service.errors import ShuttingDownError, TooManyRpcsError, UnavailableError
from service.metrics.families import Metrics
from service.settings import Settings
from service.tracing import Tracing

BUSY_RETRY_SECONDS = 1.0


@dataclass
class Edge:
    """One server's door. Belongs to its event loop."""

    settings: Settings
    metrics: Metrics
    access: Access
    tracing: Tracing
    is_open: bool = False
    """Whether the models are loaded."""
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no more work is taken."""
    _num_running: int = 0
    _is_idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._is_idle.set()

    def enter(self) -> None:
        """An RPC that does work begins; `leave` when it is over.

        Raises:
            UnavailableError: no work is taken yet, or (ShuttingDownError) no more.
            TooManyRpcsError: as many are running as may.
        """
        if self.draining.is_set():
            raise ShuttingDownError
        if not self.is_open:
            raise UnavailableError("the service is starting; its models are being loaded")
        if self._num_running >= self.settings.max_rpcs:
            raise TooManyRpcsError(f"{self._num_running} RPCs are running already", BUSY_RETRY_SECONDS)
        self._count(1)

    def leave(self) -> None:
        """It is over."""
        self._count(-1)

    async def idle(self, timeout_seconds: float) -> bool:
        """Wait until no RPC is running, or for so long; whether none is."""
        try:
            await asyncio.wait_for(self._is_idle.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    def _count(self, change: int) -> None:
        self._num_running += change
        self.metrics.rpcs_running.set(self._num_running)
        if self._num_running:
            self._is_idle.clear()
        else:
            self._is_idle.set()
