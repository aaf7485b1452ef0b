"""Who uses a model: requests hold it while they run, and it is let go when the last of them is done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import ModelUnloadedError


class Leases:
    """Counts the requests that hold one model. Belongs to the event loop."""

    def __init__(self) -> None:
        self.num_held = 0
        self.is_retired = False
        """Whether nobody new may hold it."""
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the model until the end of the block.

        Raises:
            ModelUnloadedError: it is retired: select again.
        """
        if self.is_retired:
            raise ModelUnloadedError("the model was unloaded before the request could run")
        self.num_held += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.num_held -= 1
            if not self.num_held:
                self._idle.set()

    def retire(self) -> None:
        """Nobody new from now on."""
        self.is_retired = True

    async def idle(self) -> None:
        """Wait until nobody holds the model."""
        await self._idle.wait()
