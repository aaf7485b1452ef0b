"""No room to write: the service serves on without its output, and `bulk` ends with a sentence and goes on later."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from bench.processes import REPOSITORY
from bench.reliability.bulk_client import BulkClient
from bench.reliability.calls import Stub, connected
from bench.reliability.ground import Ground, Result
from bench.reliability.service_process import free_address
from bench.reliability.tally import Asker, Tally
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

NAME = "full_disk"
FULL = Path("/dev/full")
NUM_QUESTIONS = 50
NUM_LINES = 1200
MAX_FILE_BYTES = 64 * 2**10
START_SECONDS = 30.0
FINISH_SECONDS = 60.0


async def run(ground: Ground) -> Result:
    """Standard output, standard error and both to /dev/full; then a client whose files cannot grow."""
    tally = Tally()
    for full in (("stdout",), ("stderr",), ("stdout", "stderr")):
        await _serve_on(ground, tally, full)
    async with ground.service(tally) as service:
        with (
            tempfile.TemporaryDirectory() as directory,
            BulkClient(Path(directory), ground.answers, NUM_LINES) as bulk,
        ):
            sentence, size = await _bulk(bulk, service.address, tally)
    figures = f"service with full outputs: {tally.figures()}; bulk stopped at {MAX_FILE_BYTES} of {size} bytes "
    figures += f"({sentence}), then went on"
    return Result(NAME, figures, tuple(tally.faults))


async def _serve_on(ground: Ground, tally: Tally, full: tuple[str, ...]) -> None:
    address = free_address()
    asked = Tally()
    with _service(ground.bundle, address, full) as process:
        try:
            async with connected(address) as stub:
                await _wait(stub, process)
                asker, rng = Asker(stub, ground.answers, asked), ground.random()
                for _ in range(NUM_QUESTIONS):
                    await asker.ask(ground.answers.draw(rng))
            process.terminate()
            code = await asyncio.to_thread(process.wait, FINISH_SECONDS)
            if code:
                asked.fault(f"exit code {code} after SIGTERM")
        except RuntimeError as error:
            asked.fault(str(error))
    tally.statuses += asked.statuses
    tally.latencies += asked.latencies
    for fault in asked.faults:
        tally.fault(f"{' and '.join(full)} full: {fault}")


async def _wait(stub: Stub, process: subprocess.Popen[bytes]) -> None:
    """Until it answers.

    Raises:
        RuntimeError: it ended instead, or took too long.
    """
    for _ in range(int(START_SECONDS / 0.1)):
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} instead of serving")
        try:
            await stub.Translate(pb.TranslateRequest(texts=[""]), timeout=5)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError(f"did not serve within {START_SECONDS:g} s")


@contextmanager
def _service(bundle: Path, address: str, full: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """A service that logs as much as it can; its first line, which names the ports, may be lost."""
    command = [sys.executable, "-m", "service", "--models", str(bundle.resolve()), "--log-level", "debug"]
    command += ["--grpc-address", address, "--http-address", "127.0.0.1:0"]
    with FULL.open("wb") as sink:
        stdout, stderr = (sink if name in full else subprocess.DEVNULL for name in ("stdout", "stderr"))
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=stdout, stderr=stderr)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def _bulk(bulk: BulkClient, address: str, tally: Tally) -> tuple[str, int]:
    """What it said when there was no room, and how much room it needs."""
    bulk.start(address, MAX_FILE_BYTES)
    code = await bulk.exit_code(FINISH_SECONDS)
    sentence = bulk.output.strip().splitlines()[-1:] or [""]
    if not code or "Traceback" in bulk.output or "error: " not in sentence[0]:
        tally.fault(f"bulk on a full disk ended with {code}: {bulk.output[-300:]}")
    bulk.start(address)
    code = await bulk.exit_code(FINISH_SECONDS)
    if code != 0:
        tally.fault(f"bulk with room again ended with {code}: {bulk.output[-300:]}")
    tally.faults += (faults := bulk.faults())
    return sentence[0].strip(), 0 if faults else bulk.output_bytes
