"""SIGKILL and restart: `bulk` goes on where it was and loses nothing, other clients see UNAVAILABLE and then go on."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from pathlib import Path

from bench.reliability.bulk_client import BulkClient
from bench.reliability.calls import connected
from bench.reliability.ground import Ground, Result
from bench.reliability.service_process import ServiceProcess
from bench.reliability.tally import Asker, Status, Tally

NAME = "killed_service"
NUM_CLIENTS = 4
NUM_LINES = 2000
FINISH_SECONDS = 60.0
TRY_AGAIN_SECONDS = 0.1


async def run(ground: Ground) -> Result:
    """The service is killed several times while both kinds of clients work, and comes back at the same address."""
    tally, rng = Tally(), ground.random()
    num_lines = ground.amount(NUM_LINES, 10 * NUM_LINES)
    with (
        tempfile.TemporaryDirectory() as directory,
        BulkClient(Path(directory), ground.answers, num_lines) as bulk,
    ):
        kills, code = await _kill_again_and_again(ground, tally, rng, bulk)
        tally.fault(None if code == 0 else f"bulk ended with {code}: {bulk.output[-300:]}")
        tally.faults += bulk.faults()
    figures = f"{kills} kills; bulk: {num_lines} lines; others: {tally.figures()}"
    return Result(NAME, figures, tuple(tally.faults))


async def _kill_again_and_again(
    ground: Ground, tally: Tally, rng: random.Random, bulk: BulkClient
) -> tuple[int, int | None]:
    """How often it was killed while bulk was at work, and bulk's exit code."""
    address, kills = "127.0.0.1:0", 0
    is_over = asyncio.Event()
    others: list[asyncio.Task[None]] = []
    for _ in range(ground.amount(4, 20)):
        with ServiceProcess(ground.bundle, grpc_address=address) as service:
            if not others:
                address = service.address
                bulk.start(address)
                seeds = range(NUM_CLIENTS)
                others = [asyncio.create_task(_go_on(ground, address, tally, seed, is_over)) for seed in seeds]
            await asyncio.sleep(rng.uniform(1, 2.5))
            if await bulk.exit_code(0) is not None:
                break
            service.send(signal.SIGKILL)
            await service.exit_code(10)
            kills += 1
            await asyncio.sleep(rng.uniform(0, 1))
    with ServiceProcess(ground.bundle, grpc_address=address) as service:
        code = await bulk.exit_code(FINISH_SECONDS)
        is_over.set()
        await asyncio.gather(*others)
        await ground.check_idle(service, tally)
    tally.fault(None if kills > 1 else f"bulk was done after {kills} kills: give it more lines")
    return kills, code


async def _go_on(ground: Ground, address: str, tally: Tally, seed: int, is_over: asyncio.Event) -> None:
    """A client that asks on, whatever happens; its last question must be answered."""
    rng = random.Random(seed)  # noqa: S311
    async with connected(address) as stub:
        asker = Asker(stub, ground.answers, tally)
        status = Status.UNAVAILABLE
        while not is_over.is_set():
            status = await asker.ask(ground.answers.draw(rng), {Status.UNAVAILABLE})
            await asyncio.sleep(TRY_AGAIN_SECONDS)
    if status is not Status.OK:
        tally.fault("a client did not come back to the service that came back")
