"""What the service answers when nobody else asks; every later answer is held to it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.reliability.calls import connected, translate
from bench.reliability.questions import Kind, Question
from bench.reliability.service_process import ServiceProcess


@dataclass(frozen=True)
class Answers:
    """The right answers."""

    expected: Mapping[Question, str]

    @classmethod
    async def compute(cls, models: Path, questions: Sequence[Question]) -> Answers:
        """Ask an idle service, one question at a time."""
        with ServiceProcess(models) as service:
            async with connected(service.address) as stub:
                return cls({question: await translate(stub, question) for question in questions})

    def fault(self, question: Question, answer: str) -> str | None:
        """What is wrong with an answer; None where it is the one computed alone."""
        expected = self.expected[question]
        if answer == expected:
            return None
        return f"wrong, {question.kind.value}: {question.text!r} gave {answer!r}, alone {expected!r}"

    def of_kind(self, kind: Kind) -> list[Question]:
        """All questions that are asked in this way."""
        return self._by_kind[kind]

    def draw(self, rng: random.Random) -> Question:
        """One of all questions."""
        return rng.choice(self._all)

    @cached_property
    def _all(self) -> list[Question]:
        return list(self.expected)

    @cached_property
    def _by_kind(self) -> dict[Kind, list[Question]]:
        return {kind: [question for question in self._all if question.kind is kind] for kind in Kind}
