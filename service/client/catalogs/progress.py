"""How far a catalog is, on a terminal."""

from __future__ import annotations

import time
from typing import TextIO


class Progress:
    """A line that is written over; nothing where the stream is no terminal."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._begin = time.monotonic()
        self._is_shown = False

    def show(self, done: int, total: int) -> None:
        """Say how many of the entries are done."""
        if not self._stream.isatty() or not total:
            return
        rate = done / max(time.monotonic() - self._begin, 1e-6)
        self._stream.write(f"\r{self._name}: {done}/{total} entries, {rate:.1f}/s ")
        self._stream.flush()
        self._is_shown = True

    def close(self) -> None:
        """End the line."""
        if self._is_shown:
            self._stream.write("\n")
            self._stream.flush()
