"""Deadlines too short for most: a right answer or DEADLINE_EXCEEDED, and no work for those who left."""

from __future__ import annotations

import asyncio
import math
import time

from bench.reliability.calls import connected
from bench.reliability.ground import Ground, Result
from bench.reliability.tally import Asker, Status, Tally

NAME = "deadline_storm"
NUM_REQUESTS = 2000
AT_A_TIME = 250
DEADLINES_SECONDS = (0.001, 0.2)
ALLOWED = (Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED)
LATEST_END_SECONDS = 1.0
"""After its deadline a call has ended, for its client at least."""


async def run(ground: Ground) -> Result:
    """In waves; as many deadlines from 1 to 2 ms as from 100 to 200."""
    tally, rng = Tally(), ground.random()
    low, high = map(math.log, DEADLINES_SECONDS)
    number = ground.amount(NUM_REQUESTS, 5 * NUM_REQUESTS)
    async with ground.service(tally) as service, connected(service.address) as stub:
        asker = Asker(stub, ground.answers, tally)
        lateness: list[float] = []

        async def ask(deadline: float) -> None:
            started = time.perf_counter()
            await asker.ask(ground.answers.draw(rng), ALLOWED, deadline)
            lateness.append(time.perf_counter() - started - deadline)

        for _ in range(0, number, AT_A_TIME):
            await asyncio.gather(*(ask(math.exp(rng.uniform(low, high))) for _ in range(AT_A_TIME)))
        started = time.perf_counter()
        tally.fault(await service.wait_until_idle())
        idle_after = time.perf_counter() - started
    if max(lateness) > LATEST_END_SECONDS:
        tally.fault(f"hangs: a call ended {max(lateness):.1f} s after its deadline")
    figures = (
        f"{tally.figures()}; latest end {max(lateness) * 1000:.0f} ms after a deadline, idle after {idle_after:.2f} s"
    )
    return Result(NAME, figures, tuple(tally.faults))
