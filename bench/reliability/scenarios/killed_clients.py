"""Client processes killed while they stream: their rows are free again, and nobody else notices.

python -m bench.reliability.scenarios.killed_clients HOST:PORT NUMBER is such a client: it says `streaming` when all of
its streams have begun, and then reads on until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc

from bench.reliability.calls import connected
from bench.reliability.ground import Ground, Result
from bench.reliability.questions import endless_text, sentences
from bench.reliability.tally import Tally
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

NAME = "killed_clients"
NUM_CLIENTS = 3
STREAMS_PER_CLIENT = 8
START_SECONDS = 60.0
FREE_SECONDS = 5.0


async def run(ground: Ground) -> Result:
    """Rounds of clients that are killed together; nobody else asks then, so that idle means free."""
    tally = Tally()
    waits: list[float] = []
    rounds = ground.amount(2, 10)
    async with ground.service(tally) as service:
        async with ground.bystanders(service.address) as others:
            for _ in range(rounds):
                await _kill_in_the_middle(service.address, tally)
        for _ in range(rounds):
            await _kill_in_the_middle(service.address, tally)
            started = time.monotonic()
            tally.fault(await service.wait_until_idle(FREE_SECONDS))
            waits.append(time.monotonic() - started)
    figures = f"{2 * rounds} x {NUM_CLIENTS} clients with {STREAMS_PER_CLIENT} streams each and a batch; "
    figures += f"idle at most {max(waits):.2f} s after; others: {others.figures()}"
    return Result(NAME, figures, (*tally.faults, *others.faults))


async def _kill_in_the_middle(address: str, tally: Tally) -> None:
    command = (sys.executable, "-m", __spec__.name, address, str(STREAMS_PER_CLIENT))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    clients = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
        for _ in range(NUM_CLIENTS)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            line = await asyncio.wait_for(client.stdout.readline(), START_SECONDS)
            if line != b"streaming\n":
                tally.fault(f"a client could not begin: {line!r}")
        await asyncio.sleep(0.2)
    finally:
        for client in clients:
            if client.returncode is None:
                client.kill()
            if await client.wait() != -signal.SIGKILL:
                tally.fault(f"a client ended by itself: {client.returncode}")


async def _be_a_client(address: str, num_streams: int) -> None:
    async with AsyncExitStack() as stack:
        stub = await stack.enter_async_context(connected(address))
        items = [pb.BatchItem(id=text, text=text) for text in sentences(128)]
        batch = stub.BatchTranslate(iter([pb.BatchTranslateRequest(items=items)] * 100))
        streams = [stub.TranslateStream(pb.TranslateStreamRequest(text=endless_text())) for _ in range(num_streams)]
        calls = (batch, *streams)
        await asyncio.gather(*(call.read() for call in calls))
        print("streaming", flush=True)
        await asyncio.gather(*(_read_to_the_end(call) for call in calls))


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


if __name__ == "__main__":
    asyncio.run(_be_a_client(sys.argv[1], int(sys.argv[2])))
