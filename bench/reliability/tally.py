"""What became of the requests of a scenario."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import grpc
import numpy as np

from bench.reliability.answers import Answers
from bench.reliability.calls import BrokenAnswerError, ItemFailedError, Stub, translate, translate_batch
from bench.reliability.questions import Kind, Question

HANG_SECONDS = 60.0
"""A request without a deadline of its own that takes longer hangs."""

Status = grpc.StatusCode


@dataclass
class Tally:
    """Counts outcomes and collects faults: everything lost, wrong, or ended by a status that it should not have."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Of right answers, in seconds."""
    faults: list[str] = field(default_factory=list)

    def fault(self, message: str | None) -> None:
        """Note a fault; None is none."""
        if message is not None:
            self.faults.append(message)

    @property
    def num_answered(self) -> int:
        """Right or wrong."""
        return self.statuses["OK"]

    @property
    def num_wrong(self) -> int:
        """Answers that differ from those computed alone."""
        return sum(fault.startswith("wrong") for fault in self.faults)

    def percentile(self, percent: float) -> float:
        """Of the latencies, in milliseconds; nan where nothing was answered."""
        return float(np.percentile(self.latencies, percent)) * 1000 if self.latencies else math.nan

    def figures(self) -> str:
        """One line."""
        counts = ", ".join(f"{number} {status}" for status, number in sorted(self.statuses.items()))
        return f"{counts}; p50 {self.percentile(50):.0f} ms, p99 {self.percentile(99):.0f} ms"


@dataclass(frozen=True)
class Asker:
    """Asks questions over one connection, compares the answers, and counts."""

    stub: Stub
    answers: Answers
    tally: Tally

    async def ask(
        self,
        question: Question,
        allowed: Collection[Status] = (),
        deadline_seconds: float | None = None,
        since: float | None = None,
    ) -> Status:
        """Ask once.

        Args:
            question: whose right answer is known.
            allowed: how it may end beside a right answer.
            deadline_seconds: sent with it; None: none, and taking a minute is a fault.
            since: when it was due, on the clock of time.perf_counter; None: now.

        Returns:
            How it ended.
        """
        started = time.perf_counter() if since is None else since
        try:
            answer = await translate(self.stub, question, deadline_seconds or HANG_SECONDS)
        except (grpc.aio.AioRpcError, BrokenAnswerError) as error:
            return self._refused(error, allowed)
        self._answered([(question, answer)], started)
        return Status.OK

    async def ask_batch(
        self, questions: list[Question], allowed: Collection[Status] = (), since: float | None = None
    ) -> Status:
        """Ask greedy questions over one BatchTranslate stream; see `ask`."""
        assert all(question.kind is Kind.GREEDY for question in questions)
        started = time.perf_counter() if since is None else since
        try:
            answers = await translate_batch(self.stub, [question.text for question in questions], HANG_SECONDS)
        except (grpc.aio.AioRpcError, ItemFailedError, BrokenAnswerError) as error:
            return self._refused(error, allowed)
        self._answered(list(zip(questions, answers, strict=True)), started)
        return Status.OK

    def _answered(self, pairs: list[tuple[Question, str]], started: float) -> None:
        self.tally.latencies.append(time.perf_counter() - started)
        self.tally.statuses["OK"] += 1
        for question, answer in pairs:
            self.tally.fault(self.answers.fault(question, answer))

    def _refused(
        self, error: grpc.aio.AioRpcError | ItemFailedError | BrokenAnswerError, allowed: Collection[Status]
    ) -> Status:
        if isinstance(error, BrokenAnswerError):
            self.tally.statuses["BROKEN"] += 1
            self.tally.fault(f"broken: {error}")
            return Status.DATA_LOSS
        if isinstance(error, ItemFailedError):
            status, why = error.status, str(error)
        else:
            status, why = error.code(), error.details() or ""
        self.tally.statuses[status.name] += 1
        if status not in allowed:
            self.tally.fault(f"{status.name}: {why}")
        return status
