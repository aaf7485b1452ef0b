"""Damages tried in a process of their own, which is started again when one of them ends it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.processes import REPOSITORY
from bench.reliability.answers import Answers
from bench.reliability.damage import Damage
from bench.reliability.questions import Kind

CRASHED, HANGS = "crashed", "hangs"
TRIAL_SECONDS = 60.0
WORKER = (sys.executable, "-m", "bench.reliability.bundle_trial")
NUM_QUESTIONS = 4


@dataclass(frozen=True)
class Trial:
    """A damage and what became of it."""

    damage: Damage
    verdict: str
    """One of `bench.reliability.bundle_trial`, or CRASHED, or HANGS."""
    detail: str

    def __str__(self) -> str:
        plain = asdict(Damage(""))
        changes = {name: value for name, value in asdict(self.damage).items() if value != plain[name]}
        return f"{self.verdict}: {changes}: {self.detail[:300]}"


class TrialProcess:
    """One process for many trials."""

    def __init__(self, pristine: Path, directory: Path, answers: Answers, worker: Sequence[str] = WORKER) -> None:
        """Copies the bundle into the directory.

        Args:
            pristine: the bundle.
            directory: an empty one.
            answers: what the undamaged bundle says.
            worker: a command that speaks as `bench.reliability.bundle_trial` does.
        """
        self._worker = worker
        self._pristine, self._copy = pristine.resolve(), directory / "copy"
        shutil.copytree(pristine, self._copy)
        texts = answers.of_kind(Kind.GREEDY)[-NUM_QUESTIONS:]  # the last have several sentences
        expected = {question.text: answers.expected[question] for question in texts}
        self._copy.with_suffix(".json").write_text(json.dumps(expected))
        self._process: asyncio.subprocess.Process | None = None

    async def try_all(self, damages: Sequence[Damage]) -> list[Trial]:
        """In their order."""
        try:
            return [await self._try(damage) for damage in damages]
        finally:
            await self._end()

    async def _try(self, damage: Damage) -> Trial:
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(damage)).encode() + b"\n")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), TRIAL_SECONDS)
        except TimeoutError:
            trial = Trial(damage, HANGS, f"no verdict after {TRIAL_SECONDS:g} s")
        else:
            if line:
                return Trial(damage, *json.loads(line))
            trial = Trial(damage, CRASHED, f"the process ended with {await process.wait()}")
        await self._end()
        damage.undo(self._pristine, self._copy)
        return trial

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._worker,
            str(self._pristine),
            str(self._copy),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


def judge(trials: Sequence[Trial], allowed: Collection[str]) -> tuple[str, list[str]]:
    """How many trials had which verdict, and those that should not have had theirs."""
    counts = Counter(trial.verdict for trial in trials)
    figures = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    return f"{len(trials)} damages: {figures}", [str(trial) for trial in trials if trial.verdict not in allowed]
