"""python -m bench.capacity.measure: what one replica can do, to a file that python -m bench.capacity plans with.

The replica runs on some of this machine's cores and the clients on the others, so that neither takes the other's time;
where there are no others they share, and the file says so. Clients that wait measure how much is done with so many
sentences in flight; sentences that come at random (Poisson) measure latency at shares of the most that was done.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import platform
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.capacity import memory, wire
from bench.capacity.curve import SCHEMA, ClosedPoint, Conditions, Curve, OpenPoint
from bench.load import LoadResult, closed_loop, open_loop
from bench.reliability.service_process import ServiceProcess
from bench.sentences import sentences
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NUM_TEXTS = 1000
NUM_STARTS = 3
WARM_UP_REQUESTS = 50
WIRE_REQUESTS = 200
NUM_SIZES = 100
PROGRAM = "python -m bench.capacity.measure"

Load = Callable[[], Awaitable[LoadResult]]


class Replica:
    """A service on its own cores, and what loads on it measured."""

    def __init__(self, process: ServiceProcess, seconds: float, decoding: pb.DecodingOptions) -> None:
        self._process = process
        self._seconds = seconds
        self._texts = sentences(NUM_TEXTS)
        self._decoding = decoding

    async def closed(self, clients: int, guess: float) -> tuple[LoadResult, float]:
        """A load of clients that wait, for about the time asked for; and the cores that it took.

        Args:
            clients: sentences in flight.
            guess: sentences per second that are expected.
        """
        number = max(4 * clients, round(guess * self._seconds))
        return await self._watched(
            lambda: closed_loop(self._process.address, self._texts, self._decoding, clients, number)
        )

    async def open(self, rate: float, seed: int) -> tuple[LoadResult, float]:
        """Arrivals at random, for about the time asked for."""
        number = max(20, round(rate * self._seconds))
        return await self._watched(
            lambda: open_loop(self._process.address, self._texts, self._decoding, rate, number, seed)
        )

    async def request_and_response_bytes(self) -> tuple[float, float]:
        """On the wire for one sentence."""
        async with wire.counting(self._process.address) as counted:
            await closed_loop(counted.address, self._texts, self._decoding, 8, WIRE_REQUESTS)
        return counted.request_bytes / WIRE_REQUESTS, counted.response_bytes / WIRE_REQUESTS

    async def _watched(self, load: Load) -> tuple[LoadResult, float]:
        before, started = self._process.cpu_seconds, time.perf_counter()
        result = await load()
        return result, (self._process.cpu_seconds - before) / (time.perf_counter() - started)


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the file."""
    options = _parser().parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    own, others = cores[: options.cores], cores[options.cores :]
    if len(own) < options.cores:
        raise SystemExit(f"--cores {options.cores}: this process may use {len(cores)}")
    conditions = _conditions(options, is_sharing=not others)
    start_seconds = statistics.median(_start_seconds(options.models, own) for _ in range(NUM_STARTS))
    with ExitStack() as stack:
        with _on_cores(own):  # where a child begins, too
            process = stack.enter_context(ServiceProcess(options.models))
        stack.enter_context(_on_cores(others or own))
        curve = asyncio.run(_measure(process, conditions, round(start_seconds, 3)))
    curve.write(options.output)
    print(f"{options.output}: {curve.capacity:.0f} sentences per second at most; plan with python -m bench.capacity")


async def _measure(process: ServiceProcess, conditions: Conditions, start_seconds: float) -> Curve:
    idle_bytes = process.resident_bytes
    replica = Replica(process, conditions.seconds_per_point, pb.DecodingOptions(beam_size=conditions.beam_size))
    alone, _ = await replica.closed(1, WARM_UP_REQUESTS / conditions.seconds_per_point)
    closed, sizes, tokens = await _closed_points(replica, conditions.rounds, _rate(alone))
    capacity = max(point.sentences_per_second for point in closed)
    open_points = [await _open_point(replica, conditions.rounds, share * capacity) for share in SHARES]
    request_bytes, response_bytes = await replica.request_and_response_bytes()
    per_connection = await wire.connection_bytes(process.address, lambda: process.resident_bytes)
    models = await memory.fill(process.address)
    return Curve(
        schema=SCHEMA,
        conditions=replace(conditions, models=models, mean_target_tokens=round(tokens, 1)),
        start_seconds=start_seconds,
        idle_memory_bytes=idle_bytes,
        peak_memory_bytes=process.peak_memory_bytes,
        connection_bytes=round(per_connection),
        request_bytes=round(request_bytes, 1),
        response_bytes=round(response_bytes, 1),
        sizes=sizes,
        closed=closed,
        open=open_points,
    )


def _conditions(options: argparse.Namespace, is_sharing: bool) -> Conditions:
    """What is known before the service runs."""
    return Conditions(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        processor=_processor(),
        replica_cores=options.cores,
        clients_share_cores=is_sharing,
        load_average=round(os.getloadavg()[0], 2),
        rounds=options.rounds,
        seconds_per_point=options.seconds,
        versions={name: version(name) for name in ("seq2serve", "onnxruntime", "grpcio")},
        models="",
        beam_size=options.beam_size,
        mean_source_characters=round(statistics.mean(map(len, sentences(NUM_TEXTS))), 1),
        mean_target_tokens=0.0,
    )


async def _closed_points(replica: Replica, rounds: int, guess: float) -> tuple[list[ClosedPoint], list[float], float]:
    """Points; sizes of sentences, from the latencies of those that were alone; target tokens of a sentence."""
    points, alone = [], np.empty(0)
    tokens = 0.0
    for clients in CLIENTS:
        found = [await replica.closed(clients, guess) for _ in range(rounds)]
        guess = statistics.median(_rate(load) for load, _ in found)
        latencies = np.concatenate([load.latencies for load, _ in found])
        if clients == 1:
            alone = latencies
            tokens = sum(load.num_tokens for load, _ in found) / len(alone)
        points.append(
            ClosedPoint(
                clients=clients,
                sentences_per_second=round(guess, 2),
                mean_seconds=round(float(latencies.mean()), 5),
                cpu_cores=round(statistics.median(cores for _, cores in found), 3),
            )
        )
        print(f"{clients:3} in flight: {guess:7.1f} sentences/s")
    quantiles = np.quantile(alone, (np.arange(NUM_SIZES) + 0.5) / NUM_SIZES)
    return points, [round(float(size), 4) for size in quantiles / quantiles.mean()], tokens


async def _open_point(replica: Replica, rounds: int, rate: float) -> OpenPoint:
    found = [await replica.open(rate, seed) for seed in range(rounds)]
    loads = [load for load, _ in found]

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 5)

    point = OpenPoint(
        offered=round(rate, 2),
        sentences_per_second=median([_rate(load) for load in loads]),
        requests=sum(load.num_requests for load in loads),
        mean_seconds=median([statistics.mean(load.latencies) for load in loads]),
        p50_seconds=median([load.p50 for load in loads]),
        p95_seconds=median([load.p95 for load in loads]),
        p99_seconds=median([load.p99 for load in loads]),
        cpu_cores=median([cores for _, cores in found]),
    )
    print(f"{rate:7.1f} sentences/s: p50 {1000 * point.p50_seconds:.0f}, p99 {1000 * point.p99_seconds:.0f} ms")
    return point


def _rate(load: LoadResult) -> float:
    return load.num_requests / load.seconds


def _start_seconds(models: Path, cores: list[int]) -> float:
    with _on_cores(cores):
        started = time.perf_counter()
        with ServiceProcess(models):
            return time.perf_counter() - started


@contextmanager
def _on_cores(cores: Iterable[int]) -> Iterator[None]:
    """This thread, and what it starts, on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"), help="as the service's (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="file to write, JSON")
    parser.add_argument("--cores", type=int, default=1, help="of the replica (default: %(default)s)")
    parser.add_argument("--beam-size", type=int, default=1, help="of every sentence (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="for each load and round (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
