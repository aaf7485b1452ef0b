"""One capture at a time, and nothing beside it.

While ONNX Runtime captures a CUDA graph, CUDA refuses memory to every thread of the process, and a thread that asks for
some in that moment fails, and the capture with it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class CaptureGate:
    """Around everything that runs on an accelerator; shared by all models of a process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: Counter[str] = Counter()
        self._is_capturing = False

    def running(self) -> AbstractContextManager[None]:
        """Around a run; waits for the end of a capture."""
        return self._beside("running")

    def loading(self) -> AbstractContextManager[None]:
        """Around the opening of a graph, which is long: a capture waits for it, and keeps nobody waiting meanwhile."""
        return self._beside("loading")

    @contextmanager
    def _beside(self, kind: str) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_capturing)
            self._under_way[kind] += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way[kind] -= 1
                self._changed.notify_all()

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Around a capture, on a thread that runs nothing else; waits until nothing runs, and no more runs begin."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_capturing and not self._under_way["loading"])
            self._is_capturing = True
            self._changed.wait_for(lambda: not self._under_way["running"])
        try:
            yield
        finally:
            with self._changed:
                self._is_capturing = False
                self._changed.notify_all()
