"""A value made from files, made anew when they change."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from service.errors import SettingsError

SECONDS_BETWEEN_LOOKS = 1.0

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Reloaded(Generic[T]):
    """The current value; where the files cannot be used the one before stays. Any thread may ask."""

    def __init__(
        self, make: Callable[[], T], paths: Sequence[Path], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`make` reads the files at `paths`; what it raises the first time is raised here."""
        self._make = make
        self._paths = tuple(paths)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = clock()
        # Before the files are read: what changes while they are is noticed at the next look.
        self._seen = self._look()
        self._value = make()

    def get(self) -> T:
        """The value; looks at the files at most once a second."""
        with self._lock:
            now = self._clock()
            if now - self._looked_at >= SECONDS_BETWEEN_LOOKS:
                self._looked_at = now
                self._refresh()
            return self._value

    def _refresh(self) -> None:
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        names = ", ".join(map(str, self._paths))
        try:
            self._value = self._make()
        except Exception as error:
            unforeseen = not isinstance(error, SettingsError)
            logger.error(
                "%s changed and cannot be used; what was read before stays: %s", names, error, exc_info=unforeseen
            )
        else:
            logger.info("%s read again", names)

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state_of(path) for path in self._paths)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """Changes when the file does, or when a symbolic link on the way to it is pointed elsewhere; None: no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
