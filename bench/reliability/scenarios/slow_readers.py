"""Clients that read nothing, or a message a second: others go on, and memory does not grow with what they leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
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
        async with _slow_readers(service.address) as num_written:
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
    num_items = sum(num_written.values()) * ITEMS_PER_MESSAGE
    figures = f"{NUM_STREAMS} streams, {NUM_BATCHES} batches that could write {num_items} items; "
    figures += f"memory +{growth / 2**20:.0f} MiB; others before: {before.figures()}; "
    figures += f"while they fill: {meanwhile.figures()}; beside: {beside.figures()}"
    return Result(NAME, figures, (*tally.faults, *before.faults, *meanwhile.faults, *beside.faults))


@contextlib.asynccontextmanager
async def _slow_readers(address: str) -> AsyncIterator[dict[int, int]]:
    """Clients on connections of their own; gives the messages that each batch could write."""
    num_written: dict[int, int] = {}
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        stub = Stub(channel)  # type: ignore[no-untyped-call]
        tasks = [asyncio.create_task(_stream(stub, is_reading=index % 2 == 0)) for index in range(NUM_STREAMS)]
        tasks += [asyncio.create_task(_batch(stub, index, num_written)) for index in range(NUM_BATCHES)]
        try:
            yield num_written
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _stream(stub: Stub, is_reading: bool) -> None:
    call = stub.TranslateStream(pb.TranslateStreamRequest(text=endless_text()))
    try:
        await _read(call, is_reading)
    finally:
        call.cancel()


async def _read(call: Any, is_reading: bool) -> None:
    """A message a second, or nothing, until cancelled."""
    while True:
        await asyncio.sleep(READ_SECONDS)
        if is_reading:
            await call.read()


async def _batch(stub: Stub, index: int, num_written: dict[int, int]) -> None:
    """Write on and on, with long answers."""
    call = stub.BatchTranslate()
    reader = asyncio.create_task(_read(call, is_reading=index % 2 == 0))
    texts = sentences(ITEMS_PER_MESSAGE)
    config = pb.BatchConfig(return_options=pb.ReturnOptions(token_log_probs=True))
    try:
        await call.write(pb.BatchTranslateRequest(config=config))
        for message in range(NUM_MESSAGES):
            items = [pb.BatchItem(id=f"{message}.{place}", text=text) for place, text in enumerate(texts)]
            await call.write(pb.BatchTranslateRequest(items=items))
            num_written[index] = message + 1
        await reader
    finally:
        reader.cancel()
        call.cancel()
