"""`python -m service.client bulk` as a process, on lines whose translations are known."""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import REPOSITORY
from bench.reliability.answers import Answers
from bench.reliability.questions import Kind, Question, sentences


class BulkClient:
    """Translates a file in a directory; can be started again to go on. As a context manager it is gone afterwards."""

    def __init__(self, directory: Path, answers: Answers, num_lines: int) -> None:
        """Write the input; starts nothing yet."""
        self._answers = answers
        self._lines = list(itertools.islice(itertools.cycle(sentences()), num_lines))
        self._input, self._output = directory / "input.txt", directory / "output.tsv"
        self._log = directory / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._input.write_text("".join(f"{line}\n" for line in self._lines))

    @property
    def output(self) -> str:
        """What it printed, and its errors."""
        return self._log.read_text()

    @property
    def output_bytes(self) -> int:
        """Of the translations, when all of them are there."""
        return self._output.stat().st_size

    def start(self, address: str, max_file_bytes: int | None = None) -> None:
        """Begin or go on.

        Args:
            address: of the service.
            max_file_bytes: a write beyond that fails, as on a full disk; None: no limit.
        """
        command = [sys.executable, "-m", "service.client", "bulk", str(self._input), "--output", str(self._output)]
        command += ["--address", address, "--batch-size", "32", "--requests", "2"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY, env=environment
            )
        if max_file_bytes is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    async def exit_code(self, within_seconds: float) -> int | None:
        """How it ended; None if it still runs then."""
        assert self._process is not None
        try:
            return await asyncio.to_thread(self._process.wait, within_seconds)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def faults(self) -> list[str]:
        """What is wrong with the output: lines lost, doubled, in another order, or not as translated alone."""
        if not self._output.exists():
            return ["lost: bulk left no output"]
        return compare_rows(self._output.read_text().splitlines(), self._lines, self._answers)


def compare_rows(rows: Sequence[str], lines: Sequence[str], answers: Answers) -> list[str]:
    """What is wrong with bulk's rows: source, translation, score, reason."""
    faults: list[str] = []
    if len(rows) != len(lines):
        faults.append(f"lost or doubled: {len(rows)} rows for {len(lines)} lines")
    for number, (row, line) in enumerate(zip(rows, lines, strict=False), start=1):
        source, translation, _, reason = row.split("\t")
        if source != line:
            return [*faults, f"lost or doubled: row {number} is {source!r}, the line is {line!r}"]
        if reason != "END":
            faults.append(f"row {number}: {reason}")
        elif (fault := answers.fault(Question(Kind.GREEDY, line), translation)) is not None:
            faults.append(f"row {number}: {fault}")
    return faults
