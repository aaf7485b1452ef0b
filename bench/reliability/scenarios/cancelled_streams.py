"""Streams cancelled at any moment: their rows are free again, and nobody else notices."""

from __future__ import annotations

import asyncio

from bench.reliability.calls import connected, first_delta_then_cancel
from bench.reliability.ground import Ground, Result
from bench.reliability.tally import Tally

NAME = "cancelled_streams"
NUM_STREAMS = 1000
AT_A_TIME = 50
LATEST_SECONDS = 0.3


async def run(ground: Ground) -> Result:
    """Every fourth is cancelled at its first piece, the others at random moments."""
    tally, rng = Tally(), ground.random()
    number = ground.amount(NUM_STREAMS, 4 * NUM_STREAMS)
    moments = [None if index % 4 == 0 else rng.uniform(0, LATEST_SECONDS) for index in range(number)]
    slots = asyncio.Semaphore(AT_A_TIME)
    async with ground.service(tally) as service, connected(service.address) as stub:

        async def cancel_one(after_seconds: float | None) -> None:
            async with slots:
                await first_delta_then_cancel(stub, ground.answers.draw(rng).text, after_seconds)

        async with ground.bystanders(service.address) as others:
            await asyncio.gather(*(cancel_one(moment) for moment in moments))
        metrics = await service.metrics()
    figures = f"{number} streams, {metrics['seq2serve_request_failures_total']:.0f} of their sentences stopped; "
    return Result(NAME, figures + f"others: {others.figures()}", (*tally.faults, *others.faults))
