"""One capture at a time, and nothing beside it.

While ONNX Runtime captures a CUDA graph, CUDA refuses memory to every thread of the process, and a thread that asks for
some in that moment fails, and the capture with it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CaptureGate:
    """Around everything that runs on an accelerator; shared by all models of a process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_running = 0
        self._is_capturing = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a run; waits for the end of a capture."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_capturing)
            self._num_running += 1
        try:
            yield
        finally:
            with self._changed:
                self._num_running -= 1
                self._changed.notify_all()

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Around a capture, on a thread that runs nothing else; waits until nothing runs, and no more runs begin."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_capturing)
            self._is_capturing = True
            self._changed.wait_for(lambda: self._num_running == 0)
        try:
            yield
        finally:
            with self._changed:
                self._is_capturing = False
                self._changed.notify_all()
