"""A long time at 80 % load: nothing lost, nothing wrong, and memory flat."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from bench.reliability.calls import connected
from bench.reliability.ground import Ground, Result
from bench.reliability.memory import MemoryRecord
from bench.reliability.mix import Mix
from bench.reliability.service_process import ServiceProcess
from bench.reliability.tally import Asker, Tally

NAME = "soak"
LOAD = 0.8
ROUND_MINUTES = 5.0
"""Of arrivals; before them the load is full for a moment."""
WINDOW_SECONDS = 5.0
"""The machine's fast moments are no measure of what it can do for long."""
NUM_CLIENTS = 32
NUM_CONNECTIONS = 4


async def run(ground: Ground, minutes: float) -> Result:
    """In rounds: measure what the service can do, then have that much less arrive at random (a Poisson process).

    A virtual machine is not equally fast all the time: what was 80 % half an hour ago may be more than all now.

    Args:
        ground: what is asked and answered.
        minutes: of arrivals, in all.
    """
    tally, at_capacity, mix = Tally(), Tally(), Mix(ground.random())
    num_rounds = max(1, round(minutes / ROUND_MINUTES))
    capacities: list[float] = []
    async with ground.service(tally) as service:
        memory = MemoryRecord()
        watching = asyncio.create_task(memory.watch(lambda: service.resident_bytes))
        for _ in range(num_rounds):
            capacities.append(await _capacity(ground, service, mix, at_capacity, ground.amount(15.0, 45.0)))
            tally.fault(await service.wait_until_idle())
            rate = LOAD * capacities[-1]
            await _arrivals(ground, service, mix, tally, rate, minutes * 60 / num_rounds)
        watching.cancel()
        await watching
    slope = memory.slope
    if not slope.is_flat:
        tally.fault(f"memory grows: {slope}")
    counts = ", ".join(f"{number} {status}" for status, number in sorted(tally.statuses.items()))
    p50, p95, p99 = (tally.percentile(percent) for percent in (50, 95, 99))
    figures = (
        f"{minutes:g} minutes, {LOAD:.0%} of {min(capacities):.0f} to {max(capacities):.0f} requests/s: {counts}; "
        f"{tally.num_wrong} wrong, {len(tally.faults)} faults in all; p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms; "
        f"while measuring: {at_capacity.figures()}, {at_capacity.num_wrong} wrong; "
        f"memory {memory.mebibytes[0]:.0f} to {memory.mebibytes[-1]:.0f} MiB, {slope}"
    )
    return Result(NAME, figures, (*at_capacity.faults, *tally.faults))


async def _capacity(ground: Ground, service: ServiceProcess, mix: Mix, tally: Tally, seconds: float) -> float:
    """Requests per second of clients that wait for their answers, in the slowest part of the time."""
    started = time.perf_counter()
    num_done = [0] * round(seconds / WINDOW_SECONDS)

    async def go_on(asker: Asker) -> None:
        while (passed := time.perf_counter() - started) < seconds:
            await mix.ask(asker)
            num_done[min(int(passed / WINDOW_SECONDS), len(num_done) - 1)] += 1

    async with AsyncExitStack() as stack:
        askers = await _askers(stack, ground, service, tally)
        await asyncio.gather(*(go_on(askers[client % len(askers)]) for client in range(NUM_CLIENTS)))
    return min(num_done) / WINDOW_SECONDS


async def _arrivals(
    ground: Ground, service: ServiceProcess, mix: Mix, tally: Tally, rate: float, seconds: float
) -> None:
    """Latencies count from when a request was due."""
    rng, num_sent, due = ground.random(), 0, 0.0
    async with AsyncExitStack() as stack:
        askers = await _askers(stack, ground, service, tally)
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while (due := due + rng.expovariate(rate)) < seconds:
                await asyncio.sleep(started + due - time.perf_counter())
                group.create_task(mix.ask(askers[num_sent % len(askers)], started + due))
                num_sent += 1


async def _askers(stack: AsyncExitStack, ground: Ground, service: ServiceProcess, tally: Tally) -> list[Asker]:
    """One on each connection."""
    stubs = [await stack.enter_async_context(connected(service.address)) for _ in range(NUM_CONNECTIONS)]
    return [Asker(stub, ground.answers, tally) for stub in stubs]
