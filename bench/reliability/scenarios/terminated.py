"""SIGTERM under load: every request that was accepted is answered, the others are told to go elsewhere."""

from __future__ import annotations

import asyncio
import random
import signal
import time

from bench.reliability.calls import connected
from bench.reliability.ground import Ground, Result, traceback_in
from bench.reliability.questions import Kind, Question, endless_text
from bench.reliability.service_process import ServiceProcess
from bench.reliability.tally import Asker, Status, Tally

NAME = "terminated"
NUM_CLIENTS = 32
BATCH_ITEMS = 64
ACCEPTED_SECONDS = 0.5
"""A request that was sent so long before SIGTERM had been accepted."""
EXIT_SECONDS = 15.0
DRAIN_SECONDS = 1
PATIENCE_SECONDS = 600.0
"""Of clients that ask for more than can be done: a deadline that cannot be met would be refused at once."""
SPARE_SECONDS = 3.0
"""To stop after the drain."""


async def run(ground: Ground) -> Result:
    """Rounds with work that can be finished, and one with work that cannot."""
    tally, rng = Tally(), ground.random()
    exits = [await _round(ground, tally, rng) for _ in range(ground.amount(3, 15))]
    late, late_exit = await _too_much_work(ground, tally)
    figures = f"{len(exits)} rounds of {NUM_CLIENTS} clients: {tally.figures()}; exit after {min(exits):.2f} to "
    figures += f"{max(exits):.2f} s; with {DRAIN_SECONDS} s for more work than that: exit after {late_exit:.2f} s, "
    figures += ", ".join(f"{number} {status}" for status, number in sorted(late.statuses.items()))
    return Result(NAME, figures, (*tally.faults, *late.faults))


class Clients:
    """Ask on until they are refused; whoever asked long before SIGTERM must be answered."""

    def __init__(self, asker: Asker, rng: random.Random) -> None:
        self._asker = asker
        self._rng = rng
        self.terminated_at = float("inf")
        """When SIGTERM was sent, on the clock of time.monotonic."""

    async def go_on(self, is_batch: bool) -> None:
        """One client, with unary calls and streams, or with batches."""
        status = Status.OK
        while status is Status.OK and time.monotonic() < self.terminated_at + EXIT_SECONDS:
            sent = time.monotonic()
            status = await (self._ask_batch() if is_batch else self._ask())
            if status is Status.UNAVAILABLE and sent < self.terminated_at - ACCEPTED_SECONDS:
                waited = self.terminated_at - sent
                self._asker.tally.fault(f"lost: accepted {waited:.1f} s before SIGTERM and not answered")

    async def _ask(self) -> Status:
        question = self._asker.answers.draw(self._rng)
        return await self._asker.ask(question, {Status.UNAVAILABLE})

    async def _ask_batch(self) -> Status:
        questions = self._rng.sample(self._asker.answers.of_kind(Kind.GREEDY), BATCH_ITEMS)
        return await self._asker.ask_batch(questions, {Status.UNAVAILABLE})


async def _round(ground: Ground, tally: Tally, rng: random.Random) -> float:
    """How long it took to exit."""
    with ServiceProcess(ground.bundle) as service:
        await ground.check_idle(service, tally)
        async with connected(service.address) as stub:
            clients = Clients(Asker(stub, ground.answers, tally), rng)
            tasks = [asyncio.create_task(clients.go_on(is_batch=index % 8 == 0)) for index in range(NUM_CLIENTS)]
            await asyncio.sleep(rng.uniform(1.5, 2.5))
            clients.terminated_at = time.monotonic()
            seconds = await _terminate(service, tally, EXIT_SECONDS)
            await asyncio.gather(*tasks)
    return seconds


async def _too_much_work(ground: Ground, tally: Tally) -> tuple[Tally, float]:
    """Streams far longer than the drain; how each ended, and how long the exit took."""
    late = Tally()
    text = endless_text()
    with ServiceProcess(ground.bundle, "--drain-seconds", str(DRAIN_SECONDS)) as service:
        async with connected(service.address) as stub:
            asker = Asker(stub, ground.answers, late)
            questions = [Question(kind, text) for kind in (Kind.GREEDY, Kind.STREAM) for _ in range(NUM_CLIENTS // 2)]
            asked = [
                asyncio.create_task(asker.ask(question, {Status.UNAVAILABLE}, PATIENCE_SECONDS))
                for question in questions
            ]
            await asyncio.sleep(1)
            seconds = await _terminate(service, tally, DRAIN_SECONDS + SPARE_SECONDS)
            await asyncio.gather(*asked)
    return late, seconds


async def _terminate(service: ServiceProcess, tally: Tally, within_seconds: float) -> float:
    started = time.monotonic()
    service.send(signal.SIGTERM)
    code = await service.exit_code(within_seconds)
    if code is None:
        tally.fault(f"hangs: still there {within_seconds:g} s after SIGTERM")
    elif code != 0:
        tally.fault(f"exit code {code} after SIGTERM")
    tally.fault(traceback_in(service.output))
    return time.monotonic() - started
