"""Clients that read nothing, or a message a second: others go on, and memory does not grow with what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from bench.reliability.calls import CHANNEL_OPTIONS, Stub
from bench.reliability.ground import Ground, Result
from bench.reliability.questions import endless_text, sentences
from bench.reliability.tally import Tally
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

NAME = "slow_readers"
NUM_STREAMS = 8
NUM_BATCHES = 4
ITEMS_PER_MESSAGE = 100
NUM_MESSAGES = 200
READ_SECONDS = 1.0
MAX_GROWTH_BYTES = 96 * 2**20
MAX_SLOWDOWN = 5.0
"""Of the others' median, beside readers that are full: until then their work is work."""
FILL_SECONDS = 30.0
"""What flow control lets through is translated in that time."""

# Else gRPC takes in megabytes for a client that does not read them, because the connection is fast.
OPTIONS = [*CHANNEL_OPTIONS, ("grpc.http2.bdp_probe", 0)]


async def run(ground: Ground) -> Result:
    """Others before, while the slow readers fill up, and beside them once they are full."""
    tally = Tally()
    seconds = ground.amount(5.0, 30.0)
    async with ground.service(tally) as service:
        async with ground.bystanders(service.address) as before:
            await asyncio.sleep(seconds)
        resident_before = service.resident_bytes
        async with _slow_readers(service.address, tally):
            async with ground.bystanders(service.address) as meanwhile:
                await asyncio.sleep(seconds)
            # Whoever reads nothing cannot have unlimited work done.
            idle_fault = await service.wait_until_idle(FILL_SECONDS)
            tally.fault(idle_fault and f"works on for clients that do not read: {idle_fault}")
            async with ground.bystanders(service.address) as beside:
                await asyncio.sleep(seconds)
            growth = service.resident_bytes - resident_before
    if growth > MAX_GROWTH_BYTES:
        tally.fault(f"memory grew by {growth / 2**20:.0f} MiB")
    if beside.percentile(50) > MAX_SLOWDOWN * before.percentile(50):
        tally.fault(f"others' median {before.percentile(50):.0f} ms became {beside.percentile(50):.0f} ms")
    figures = f"{NUM_STREAMS} streams, {NUM_BATCHES} batches of {NUM_MESSAGES * ITEMS_PER_MESSAGE} items; "
    figures += f"memory +{growth / 2**20:.0f} MiB; others before: {before.figures()}; "
    figures += f"while they fill: {meanwhile.figures()}; beside: {beside.figures()}"
    return Result(NAME, figures, (*tally.faults, *before.faults, *meanwhile.faults, *beside.faults))


@asynccontextmanager
async def _slow_readers(address: str, tally: Tally) -> AsyncIterator[None]:
    """Clients of both kinds, every other one of which reads; none may fail."""
    tasks = [asyncio.create_task(_stream(address, is_reading=index % 2 == 0)) for index in range(NUM_STREAMS)]
    tasks += [asyncio.create_task(_batch(address, is_reading=index % 2 == 0)) for index in range(NUM_BATCHES)]
    try:
        yield
    finally:
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        tally.fault(f"a slow reader failed: {task.exception()!r}")


async def _stream(address: str, is_reading: bool) -> None:
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        stub = Stub(channel)  # type: ignore[no-untyped-call]
        await _read(stub.TranslateStream(pb.TranslateStreamRequest(text=endless_text())), is_reading)


async def _batch(address: str, is_reading: bool) -> None:
    """Write on and on, with long answers."""
    config = pb.BatchConfig(return_options=pb.ReturnOptions(token_log_probs=True))
    items = [pb.BatchItem(id=str(index), text=text) for index, text in enumerate(sentences(ITEMS_PER_MESSAGE))]
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        call = Stub(channel).BatchTranslate()  # type: ignore[no-untyped-call]
        reader = asyncio.create_task(_read(call, is_reading))
        try:
            await call.write(pb.BatchTranslateRequest(config=config))
            for _ in range(NUM_MESSAGES):
                await call.write(pb.BatchTranslateRequest(items=items))
            await reader
        finally:
            reader.cancel()


async def _read(call: Any, is_reading: bool) -> None:
    """A message a second, or nothing, until cancelled."""
    while True:
        await asyncio.sleep(READ_SECONDS)
        if is_reading:
            await call.read()
