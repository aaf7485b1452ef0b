"""Looks for new, changed and removed bundles, and has them loaded and unloaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from service.api.refusals import NameTakenError
from service.bundle.changes import ChangeDetector, is_without_bundles
from service.bundle.repository import Repository, Snapshot
from service.errors import MemoryBudgetError, ServiceError

logger = logging.getLogger(__name__)


class BundleWatcher:
    """Polls, for network file systems tell nobody of changes."""

    def __init__(
        self,
        repository: Repository,
        known: Snapshot,
        load: Callable[[str], Awaitable[object]],
        drop: Callable[[str], Awaitable[None]],
    ) -> None:
        """Begin from what was loaded.

        Args:
            repository: what to look at.
            known: as it was before it was loaded.
            load: loads the bundle of a directory name; what it raises is logged.
            drop: unloads what came from a directory that is there no more.
        """
        self._repository = repository
        self._changes = ChangeDetector(known)
        self._load = load
        self._drop = drop
        self._complaints: dict[str, str] = {}
        """What was logged last, by directory name; by an empty name of the repository."""

    async def watch(self, seconds: float) -> None:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.poll()
            except Exception as error:  # of one look; the next may find all well
                self._complain("", f"could not look for bundles: {error}")

    async def poll(self) -> None:
        """Look once, and act on what is certain."""
        snapshot = await asyncio.to_thread(self._repository.scan)
        if is_without_bundles(snapshot):
            self._complain("", f"{self._repository.directory} holds no bundle any more; what is served stays")
            return
        self._complaints.pop("", None)
        changes = self._changes.observe(snapshot)
        # A bundle whose directory was renamed is loaded from the new one before the old one is given up.
        for name in changes.written:
            await self._try_to_load(name)
        for name in changes.vanished:
            self._complaints.pop(name, None)
            await self._drop(name)

    async def _try_to_load(self, name: str) -> None:
        try:
            await self._load(name)
            self._complaints.pop(name, None)
        except (MemoryBudgetError, NameTakenError) as refusal:
            # The bundle is not to blame, so it is tried again though its files stay as they are.
            self._changes.forget(name)
            self._complain(name, str(refusal))
        except ServiceError as error:
            logger.error("%s", error)
        except Exception:
            logger.exception("loading %s failed", name)

    def _complain(self, about: str, message: str) -> None:
        """Log what goes on for long once."""
        if self._complaints.get(about) != message:
            self._complaints[about] = message
            logger.error("%s", message)
