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
NUM_CLIENTS = 32
NUM_CONNECTIONS = 4


async def run(ground: Ground, minutes: float) -> Result:
    """Measure what the service can do, then have that much less arrive at random (a Poisson process).

    Args:
        ground: what is asked and answered.
        minutes: of the arrivals.
    """
    tally, warm_up = Tally(), Tally()
    async with ground.service(tally) as service:
        capacity = await _capacity(ground, service, warm_up, ground.amount(20.0, 60.0))
        tally.fault(await service.wait_until_idle())
        memory = MemoryRecord()
        watching = asyncio.create_task(memory.watch(lambda: service.resident_bytes))
        rate = await _arrivals(ground, service, tally, LOAD * capacity, minutes * 60)
        watching.cancel()
        await watching
    slope = memory.slope
    if not slope.is_flat:
        tally.fault(f"memory grows: {slope}")
    counts = ", ".join(f"{number} {status}" for status, number in sorted(tally.statuses.items()))
    p50, p95, p99 = (tally.percentile(percent) for percent in (50, 95, 99))
    figures = (
        f"{minutes:g} minutes at {rate:.0f} of {capacity:.0f} requests/s: {counts}; {tally.num_wrong} wrong, "
        f"{len(tally.faults)} faults in all; p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms; "
        f"memory {memory.mebibytes[0]:.0f} to {memory.mebibytes[-1]:.0f} MiB, {slope}"
    )
    return Result(NAME, figures, (*warm_up.faults, *tally.faults))


async def _capacity(ground: Ground, service: ServiceProcess, tally: Tally, seconds: float) -> float:
    """Requests per second of clients that wait for their answers."""
    mix, started, num_done = Mix(ground.random()), time.perf_counter(), 0

    async def go_on(asker: Asker) -> None:
        nonlocal num_done
        while time.perf_counter() < started + seconds:
            await mix.ask(asker)
            num_done += 1

    async with AsyncExitStack() as stack:
        askers = await _askers(stack, ground, service, tally)
        await asyncio.gather(*(go_on(askers[client % len(askers)]) for client in range(NUM_CLIENTS)))
        return num_done / (time.perf_counter() - started)


async def _arrivals(ground: Ground, service: ServiceProcess, tally: Tally, rate: float, seconds: float) -> float:
    """Latencies count from when a request was due. Gives the rate at which they came."""
    rng = ground.random()
    mix = Mix(rng)
    num_sent, due = 0, 0.0
    async with AsyncExitStack() as stack:
        askers = await _askers(stack, ground, service, tally)
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while (due := due + rng.expovariate(rate)) < seconds:
                await asyncio.sleep(started + due - time.perf_counter())
                group.create_task(mix.ask(askers[num_sent % len(askers)], started + due))
                num_sent += 1
    return num_sent / seconds


async def _askers(stack: AsyncExitStack, ground: Ground, service: ServiceProcess, tally: Tally) -> list[Asker]:
    """One on each connection."""
    stubs = [await stack.enter_async_context(connected(service.address)) for _ in range(NUM_CONNECTIONS)]
    return [Asker(stub, ground.answers, tally) for stub in stubs]
