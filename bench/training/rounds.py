"""Rounds of updates, asked for through a pipe and timed: both toolkits' workers share this. Needs no package of either.

A worker answers every line on standard input with a line of JSON on standard output. What it prints otherwise goes to
standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Generic, TextIO, TypeVar

BatchT = TypeVar("BatchT")


class Replies:
    """Standard output, kept for answers: whatever else the process prints goes to standard error."""

    def __init__(self) -> None:
        self._stream: TextIO = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **values: float) -> None:
        """One answer."""
        print(json.dumps(values), file=self._stream, flush=True)


class Rounds(Generic[BatchT]):
    """Batches to train on, for as long as there are questions: each line names the batches of a round by number.

    Time runs from when a round's first batch is handed out to when the batch after its last one is asked for. Batches
    are made before that. The processor's time, of all threads, is told as well: others on the machine add little to it.
    """

    def __init__(self, make_batch: Callable[[int], BatchT], replies: Replies) -> None:
        self._make_batch, self._replies = make_batch, replies

    def __iter__(self) -> Iterator[BatchT]:
        for line in sys.stdin:
            batches = [self._make_batch(int(number)) for number in line.split()]
            started, cpu_started = time.perf_counter(), time.process_time()
            yield from batches
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
            self._replies.send(seconds=seconds, cpu_seconds=cpu_seconds)
