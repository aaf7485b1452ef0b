"""The ways in which the scenarios call the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc

from bench.reliability.questions import Kind, Question
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc

BEAM_SIZE = 4
CHANNEL_OPTIONS = [
    # Without a pool of its own, every channel of a process would share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # What the service answers is what is counted.
    ("grpc.enable_retries", 0),
]

Stub: TypeAlias = pb_grpc.TranslationServiceStub


_STATUSES: dict[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}


class BrokenAnswerError(Exception):
    """An answer that contradicts itself, or lacks or doubles a part."""


class ItemFailedError(Exception):
    """An item of a batch that the service did not translate."""

    def __init__(self, item: str, error: pb.ItemError) -> None:
        super().__init__(f"item {item}: {error.reason}: {error.message}")
        self.status = _STATUSES[error.code]


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Stub]:
    """A stub on a connection of its own."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield Stub(channel)  # type: ignore[no-untyped-call]


async def translate(stub: Stub, question: Question, timeout_seconds: float | None = None) -> str:
    """The answer to a question.

    Raises:
        grpc.aio.AioRpcError: there is none.
        BrokenAnswerError: the deltas of a stream are not its result.
    """
    if question.kind is Kind.STREAM:
        return await _stream(stub, question.text, timeout_seconds)
    beam_size = BEAM_SIZE if question.kind is Kind.BEAM else 1
    request = pb.TranslateRequest(texts=[question.text], decoding=pb.DecodingOptions(beam_size=beam_size))
    response = await stub.Translate(request, timeout=timeout_seconds)
    return str(response.results[0].hypotheses[0].text)


async def _stream(stub: Stub, text: str, timeout_seconds: float | None) -> str:
    deltas: list[str] = []
    results: list[str] = []
    async for response in stub.TranslateStream(pb.TranslateStreamRequest(text=text), timeout=timeout_seconds):
        if response.HasField("delta"):
            deltas.append(response.delta.text)
        else:
            results.append(response.result.hypotheses[0].text)
    if results != ["".join(deltas)]:
        raise BrokenAnswerError(f"deltas {''.join(deltas)!r}, results {results!r} of {text!r}")
    return results[0]


async def translate_batch(stub: Stub, texts: Sequence[str], timeout_seconds: float | None = None) -> list[str]:
    """The translations of texts over one BatchTranslate stream, in their order.

    Raises:
        grpc.aio.AioRpcError: the stream failed.
        ItemFailedError: one of the items failed.
        BrokenAnswerError: an item has no answer, or several.
    """
    items = [pb.BatchItem(id=str(index), text=text) for index, text in enumerate(texts)]
    requests = iter([pb.BatchTranslateRequest(items=items)])
    found: dict[int, str] = {}
    async for response in stub.BatchTranslate(requests, timeout=timeout_seconds):
        if response.HasField("error"):
            raise ItemFailedError(response.id, response.error)
        if int(response.id) in found:
            raise BrokenAnswerError(f"item {response.id} was answered twice")
        found[int(response.id)] = response.result.hypotheses[0].text
    if len(found) != len(texts):
        raise BrokenAnswerError(f"{len(texts) - len(found)} of {len(texts)} items have no answer")
    return [found[index] for index in range(len(texts))]


async def first_delta_then_cancel(stub: Stub, text: str, after_seconds: float | None) -> None:
    """Cancel a stream after so long; None: when its first piece comes."""
    call = stub.TranslateStream(pb.TranslateStreamRequest(text=text))
    if after_seconds is None:
        await call.read()
    else:
        await asyncio.sleep(after_seconds)
    call.cancel()
