"""What every scenario stands on, and what it gives back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.reliability.answers import Answers
from bench.reliability.calls import connected
from bench.reliability.service_process import ServiceProcess
from bench.reliability.tally import Asker, Tally

NUM_IDLE_QUESTIONS = 8
THINK_SECONDS = 0.05

Amount = TypeVar("Amount", int, float)


@dataclass(frozen=True)
class Result:
    """What a scenario found."""

    name: str
    figures: str
    """One line."""
    faults: tuple[str, ...]
    """What was lost, wrong, or should not have happened."""

    @property
    def passed(self) -> bool:
        """Whether there was no fault."""
        return not self.faults


@dataclass(frozen=True)
class Ground:
    """A bundle, what it should answer, and how long to go on."""

    bundle: Path
    answers: Answers
    is_long: bool
    seed: int = 0

    def amount(self, short: Amount, long: Amount) -> Amount:
        """How many, or how long."""
        return long if self.is_long else short

    def random(self) -> random.Random:
        """The same numbers every time."""
        return random.Random(self.seed)  # noqa: S311 - a schedule, not a secret

    @asynccontextmanager
    async def service(self, tally: Tally, *flags: str) -> AsyncIterator[ServiceProcess]:
        """A service that is idle and right when it is given, and has to be so again when it is given back."""
        with ServiceProcess(self.bundle, *flags) as service:
            await self.check_idle(service, tally)
            yield service
            await self.check_idle(service, tally)
            tally.fault(traceback_in(service.output))

    async def check_idle(self, service: ServiceProcess, tally: Tally) -> None:
        """Wait until no row is held, and ask some questions."""
        tally.fault(await service.wait_until_idle())
        asked = Tally()
        async with connected(service.address) as stub:
            asker, rng = Asker(stub, self.answers, asked), self.random()
            for _ in range(NUM_IDLE_QUESTIONS):
                await asker.ask(self.answers.draw(rng))
        for fault in asked.faults:
            tally.fault(f"idle service: {fault}")

    @asynccontextmanager
    async def bystanders(self, address: str, number: int = 4) -> AsyncIterator[Tally]:
        """Clients that ask all the while, with a moment between two questions; each answer has to be right."""
        tally = Tally()
        is_over = asyncio.Event()

        async def go_on(seed: int) -> None:
            rng = random.Random(seed)  # noqa: S311
            async with connected(address) as stub:
                asker = Asker(stub, self.answers, tally)
                while not is_over.is_set():
                    await asker.ask(self.answers.draw(rng))
                    await asyncio.sleep(rng.uniform(0, 2 * THINK_SECONDS))

        async with asyncio.TaskGroup() as group:
            for client in range(number):
                group.create_task(go_on(client))
            try:
                yield tally
            finally:
                is_over.set()
        if not tally.num_answered:
            tally.fault("the bystanders got no answer at all")


def traceback_in(output: str) -> str | None:
    """A service that knows its errors writes none."""
    _, found, rest = output.partition("Traceback (most recent call last)")
    return f"traceback in the log: {rest.strip().splitlines()[-1]}" if found else None
