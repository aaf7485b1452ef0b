"""Clients of all kinds, for a while: good ones, wrong ones, late ones, those that go away, and too many at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import grpc

from bench.fuzzing import frames
from bench.reliability.calls import ItemFailedError, Stub, connected, first_delta_then_cancel, translate_batch
from bench.reliability.questions import sentences
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

NUM_PEOPLE = 4
PAUSE_SECONDS = 0.2
CROWD = 96
"""More at once than MAX_ROWS and MAX_WAITING let in."""
MAX_ROWS, MAX_WAITING = 16, 32
BEAM = pb.DecodingOptions(beam_size=4)

Turn = Callable[[], Awaitable[object]]


class Traffic:
    """Inside the context, in a thread of its own. Every kind of client takes its turns again and again."""

    def __init__(self, grpc_address: str, http_address: str, calm_seconds: float) -> None:
        """`calm_seconds`: before clients come that do harm."""
        self._calm_seconds = calm_seconds
        self._grpc_address = grpc_address
        self._http_address = http_address
        self._texts = itertools.cycle(sentences())
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    async def _run(self) -> None:
        async with connected(self._grpc_address) as stub, grpc.aio.insecure_channel(self._grpc_address) as channel:
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            good: list[Turn] = [
                *[lambda: self._person(stub)] * NUM_PEOPLE,
                lambda: translate_batch(stub, self._some(24)),
                lambda: self._explained(stub),
                lambda: models.ListModels(model_service_pb2.ListModelsRequest()),
                *(self._http_turn(path) for path in ("/", "/v1/models")),
                self._http_turn("/v1/translate", texts=["Open the file.", "Close it."]),
                self._http_turn("/translate", q="Open the file.", source="en", target="ko"),
            ]
            bad: list[Turn] = [
                lambda: first_delta_then_cancel(stub, " ".join(self._some(8)), None),
                lambda: self._wrong(stub),
                lambda: stub.Translate(self._request(16, BEAM), timeout=0.05),
                lambda: stub.Translate(self._request(100, BEAM)),
                lambda: self._crowd(stub),
                self._http_turn("/nothing"),
                self._http_turn("/v1/translate", texts=7),
                self._http_turn("/v1/translate", "1m", texts=sentences(20)),
            ]
            delayed = [(turn, 0.0) for turn in good] + [(turn, self._calm_seconds) for turn in bad]
            await asyncio.gather(*(self._again(turn, delay) for turn, delay in delayed))

    async def _again(self, turn: Turn, delay_seconds: float) -> None:
        await asyncio.to_thread(self._is_over.wait, delay_seconds)
        while not self._is_over.is_set():
            with contextlib.suppress(grpc.aio.AioRpcError, ItemFailedError):  # what clients are told, the panels count
                await turn()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _person(self, stub: Stub) -> None:
        for text in self._some(5):
            await stub.Translate(pb.TranslateRequest(texts=[text]))

    async def _explained(self, stub: Stub) -> None:
        text = next(self._texts)
        answer = await stub.Translate(pb.TranslateRequest(texts=[text]))
        pair = pb.TextPair(source=text, target=answer.results[0].hypotheses[0].text)
        await asyncio.gather(*(stub.Score(pb.ScoreRequest(pairs=[pair] * 8)) for _ in range(4)))

    async def _wrong(self, stub: Stub) -> None:
        for request in (pb.TranslateRequest(), pb.TranslateRequest(texts=["x"], model_selection={"model": "nobody"})):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await stub.Translate(request)

    async def _crowd(self, stub: Stub) -> None:
        requests = (stub.Translate(pb.TranslateRequest(texts=[text])) for text in self._some(CROWD))
        await asyncio.gather(*requests, return_exceptions=True)

    def _http_turn(self, path: str, timeout: str = "60S", **fields: object) -> Turn:
        """`timeout`: as gRPC writes it; `fields`: of the body, which makes it a POST."""
        content = json.dumps(fields).encode() if fields else None
        headers = {"Content-Type": "application/json", "Grpc-Timeout": timeout}
        request = urllib.request.Request(f"http://{self._http_address}{path}", content, headers)

        def ask() -> None:
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=30) as response:
                response.read()

        return lambda: asyncio.to_thread(ask)

    def _request(self, number: int, decoding: pb.DecodingOptions) -> pb.TranslateRequest:
        return pb.TranslateRequest(texts=self._some(number), decoding=decoding)

    def _some(self, number: int) -> list[str]:
        return list(itertools.islice(self._texts, number))


async def break_port(address: str) -> None:
    """Bytes that end grpc.aio's server, which the service then replaces (docs/reliability.md)."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(frames.hello() + frames.call(1, b"\xff"))
    await reader.read()
    writer.close()
