"""Callers that ask without a pause, and what became of every call. They do not try anything again by themselves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1.translation_service_pb2_grpc import TranslationServiceStub as Stub

TEXTS = (
    "Open the file.",
    "The file could not be opened because it is used by another program.",
    "Select the language of the program and the folder in which all of your documents are to be kept.",
)
CALL_SECONDS = 60.0
Ask = Callable[[Stub, str], Coroutine[Any, Any, str]]


@dataclass
class Tally:
    """Of one load, as it goes on."""

    answers: list[tuple[str, str]] = field(default_factory=list)
    """Text and translation."""
    failures: list[str] = field(default_factory=list)

    def is_right(self) -> bool:
        """Whether every text had one translation, whoever made it."""
        return len({text for text, _ in self.answers}) == len(set(self.answers))

    async def more_answers(self, number: int) -> None:
        """Wait until so many more have come."""
        wanted = len(self.answers) + number
        async with asyncio.timeout(CALL_SECONDS):
            while len(self.answers) < wanted:
                await asyncio.sleep(0.05)


async def unary(stub: Stub, text: str) -> str:
    response = await stub.Translate(pb.TranslateRequest(texts=[text]), timeout=CALL_SECONDS)
    return str(response.results[0].hypotheses[0].text)


async def stream(stub: Stub, text: str) -> str:
    deltas, result = "", ""
    async for response in stub.TranslateStream(pb.TranslateStreamRequest(text=text), timeout=CALL_SECONDS):
        deltas += response.delta.text
        if response.HasField("result"):
            result = response.result.hypotheses[0].text
    assert deltas == result
    return result


async def batch(stub: Stub, text: str) -> str:
    request = pb.BatchTranslateRequest(items=[pb.BatchItem(id=str(number), text=text) for number in range(3)])
    found = {}
    async for response in stub.BatchTranslate(iter([request]), timeout=CALL_SECONDS):
        found[response.id] = response.result.hypotheses[0].text
    assert sorted(found) == ["0", "1", "2"]
    return str(found["0"])


@asynccontextmanager
async def under_load(address: str, *asks: Ask, num_callers: int = 6) -> AsyncIterator[Tally]:
    """While inside, callers ask in turn by all of `asks`; after, every call has ended and is counted."""
    tally, is_over = Tally(), asyncio.Event()
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel:
        stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
        callers = [asyncio.create_task(_ask_on(stub, asks, first, tally, is_over)) for first in range(num_callers)]
        try:
            yield tally
        finally:
            is_over.set()
            await asyncio.gather(*callers)


async def _ask_on(stub: Stub, asks: tuple[Ask, ...], first: int, tally: Tally, is_over: asyncio.Event) -> None:
    for number in itertools.count(first):
        if is_over.is_set():
            return
        ask, text = asks[number % len(asks)], TEXTS[number // len(asks) % len(TEXTS)]
        try:
            tally.answers.append((text, await ask(stub, text)))
        except (grpc.aio.AioRpcError, AssertionError) as error:
            tally.failures.append(f"{ask.__name__}: {error!r}")
