"""A toolkit's worker as a long-lived process that trains a round when it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import REPOSITORY, STOP_SECONDS
from bench.training.subject import Subject


class Worker:
    """As a context manager: inside, it has built the model and checked it; after, it is gone."""

    def __init__(self, python: Path | str, module: str, subject: Subject, threads: int) -> None:
        """Starts nothing yet."""
        self._command = [str(python), "-m", module, str(subject.checkpoint), str(subject.batches)]
        self._command += ["--threads", str(threads)]
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.loss = self.gradient_norm = 0.0
        """Of the first batch, in nats per token, without dropout and label smoothing, float32."""

    def __enter__(self) -> Self:
        """Start and wait for the check.

        Raises:
            RuntimeError: it ended; the message holds its output.
        """
        self._log = tempfile.TemporaryFile("w+")  # closed by __exit__
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
            cwd=REPOSITORY,
            text=True,
        )
        try:
            answer = self._read()
        except BaseException:
            self._stop()
            raise
        self.loss, self.gradient_norm = answer["loss"], answer["gradient_norm"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def train(self, numbers: Sequence[int]) -> tuple[float, float]:
        """One update on each of the batches with these numbers; returns seconds and seconds of the processor.

        Raises:
            RuntimeError: the process ended; the message holds its output.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended; its answer is missing then
            self._process.stdin.write(" ".join(map(str, numbers)) + "\n")
            self._process.stdin.flush()
        answer = self._read()
        return answer["seconds"], answer["cpu_seconds"]

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"{' '.join(self._command[:3])} ended:\n{self._log.read()}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def _stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._process.stdout.close()
            self._log.close()
