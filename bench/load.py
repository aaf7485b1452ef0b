"""Load on any server of TranslationService: clients that wait for their answers, or arrivals that do not."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import numpy as np

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc

CLIENTS_PER_CHANNEL = 8
OPEN_LOOP_CHANNELS = 4

Stub: TypeAlias = pb_grpc.TranslationServiceStub


@dataclass(frozen=True)
class LoadResult:
    """What a load measured; times in seconds."""

    num_requests: int
    num_tokens: int
    """Target tokens, ends of sentence not counted."""
    seconds: float
    """From the beginning of the load to the last answer."""
    latencies: list[float]
    """One for each request, in the order of the answers."""
    first_tokens: list[float]
    """Times to the first delta, where translations are streamed; a stream without a delta has none."""

    @property
    def tokens_per_second(self) -> float:
        """Target tokens of all requests, per second of the load."""
        return self.num_tokens / self.seconds

    @property
    def p50(self) -> float:
        """Median latency in seconds."""
        return _percentile(self.latencies, 50)

    @property
    def p95(self) -> float:
        """Latency in seconds that 95 % of the requests do not exceed."""
        return _percentile(self.latencies, 95)

    @property
    def p99(self) -> float:
        """Latency in seconds that 99 % of the requests do not exceed."""
        return _percentile(self.latencies, 99)

    @property
    def first_token_p50(self) -> float:
        """Median time to the first delta in seconds; nan where nothing was streamed."""
        return _percentile(self.first_tokens, 50)


@dataclass
class _Recorder:
    num_tokens: int = 0
    latencies: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)

    def finish(self, since: float, num_tokens: int) -> None:
        self.latencies.append(time.perf_counter() - since)
        self.num_tokens += num_tokens

    def result(self, since: float) -> LoadResult:
        seconds = time.perf_counter() - since
        return LoadResult(len(self.latencies), self.num_tokens, seconds, self.latencies, self.first_tokens)


async def closed_loop(
    address: str,
    texts: Sequence[str],
    decoding: pb.DecodingOptions,
    num_clients: int,
    num_requests: int,
    is_streaming: bool = False,
) -> LoadResult:
    """Clients that each send one text, wait for its translation and send the next.

    Args:
        address: host:port.
        texts: taken in order by whichever client is free; from the beginning again where they are too few.
        decoding: the same for every request.
        num_clients: requests under way at any time; every eight share a connection.
        num_requests: in all.
        is_streaming: with TranslateStream, measuring the time to the first delta too; else with Translate.

    Raises:
        grpc.aio.AioRpcError: a call failed; the others are cancelled.
    """
    work = _take(texts, num_requests)
    call = _stream if is_streaming else _translate
    recorder = _Recorder()

    async def run(stub: Stub) -> None:
        for text in work:
            await call(stub, text, decoding, time.perf_counter(), recorder)

    async with _stubs(address, math.ceil(num_clients / CLIENTS_PER_CHANNEL)) as stubs:
        started = time.perf_counter()
        await _all(run(stubs[client // CLIENTS_PER_CHANNEL]) for client in range(num_clients))
        return recorder.result(started)


async def open_loop(
    address: str,
    texts: Sequence[str],
    decoding: pb.DecodingOptions,
    requests_per_second: float,
    num_requests: int,
    seed: int,
) -> LoadResult:
    """Requests that come when they come (a Poisson process), however long the answers take.

    Latency counts from the time at which a request was due, so that a load generator that falls behind its schedule
    cannot hide what a user would have waited.

    Args:
        address: host:port.
        texts: taken in order; from the beginning again where they are too few.
        decoding: the same for every request.
        requests_per_second: mean rate of arrivals.
        num_requests: in all.
        seed: of the gaps between arrivals; the same seed gives the same schedule.

    Raises:
        grpc.aio.AioRpcError: a call failed; the others are cancelled.
    """
    gaps = np.random.default_rng(seed).exponential(1 / requests_per_second, num_requests)
    arrivals = np.cumsum(gaps).tolist()  # seconds after the beginning
    recorder = _Recorder()

    async def run(stub: Stub, text: str, due: float) -> None:
        await asyncio.sleep(due - time.perf_counter())
        await _translate(stub, text, decoding, due, recorder)

    async with _stubs(address, OPEN_LOOP_CHANNELS) as stubs:
        started = time.perf_counter()
        requests = zip(itertools.cycle(stubs), _take(texts, num_requests), arrivals, strict=False)
        await _all(run(stub, text, started + arrival) for stub, text, arrival in requests)
        return recorder.result(started)


async def _translate(stub: Stub, text: str, decoding: pb.DecodingOptions, since: float, recorder: _Recorder) -> None:
    response = await stub.Translate(pb.TranslateRequest(texts=[text], decoding=decoding))
    recorder.finish(since, response.results[0].num_target_tokens)


async def _stream(stub: Stub, text: str, decoding: pb.DecodingOptions, since: float, recorder: _Recorder) -> None:
    is_first, num_tokens = True, 0
    async for response in stub.TranslateStream(pb.TranslateStreamRequest(text=text, decoding=decoding)):
        if response.HasField("result"):
            num_tokens = response.result.num_target_tokens
        elif is_first:
            recorder.first_tokens.append(time.perf_counter() - since)
            is_first = False
    recorder.finish(since, num_tokens)


@asynccontextmanager
async def _stubs(address: str, number: int) -> AsyncIterator[list[Stub]]:
    """Stubs on as many connections, all of them up."""
    # Without a pool of its own, every channel of a process would share one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(number)]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        yield [Stub(channel) for channel in channels]  # type: ignore[no-untyped-call]
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run them side by side; the first error cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _take(texts: Sequence[str], number: int) -> Iterator[str]:
    if not texts:
        raise ValueError("no texts to send")
    return itertools.islice(itertools.cycle(texts), number)


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else math.nan
