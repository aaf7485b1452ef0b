"""What a server must go on doing while it is attacked: translate as before, keep its memory, give its rows back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import grpc

from bench.fuzzing.calls import CALL_SECONDS
from bench.fuzzing.scrape import IDLE_GAUGES, MEMORY_GAUGE, scrape
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc

CANARY = "Select all files and open a new window. Are you sure?"
BUSY_TRIES, BUSY_SECONDS = 20, 0.5
IDLE_SECONDS = 60.0
"""Time for the server to end what is under way when all inputs are over."""


class Watch:
    """Asks every model for the same translation again and again, and samples memory."""

    def __init__(self, channel: grpc.aio.Channel, http_address: str) -> None:
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)  # type: ignore[no-untyped-call]
        self._translations = pb_grpc.TranslationServiceStub(channel)  # type: ignore[no-untyped-call]
        self._http_address = http_address
        self._answers: list[tuple[pb.TranslateRequest, pb.TranslateResponse]] = []
        self.samples: list[tuple[int, float]] = []
        """Inputs so far, and resident memory in bytes."""
        self.is_gone = False
        """Whether the server no longer takes calls."""

    async def begin(self) -> Sequence[str]:
        """Learn what the server answers while nobody disturbs it; returns the names of its models.

        Raises:
            grpc.aio.AioRpcError: it does not answer.
        """
        listed = await self._models.ListModels(model_service_pb2.ListModelsRequest(), timeout=CALL_SECONDS)
        for model in listed.models:
            pair = model.language_pairs[0]
            selection = pb.ModelSelection(
                model=model.name,
                source_language_code=pair.source_language_code,
                target_language_code=pair.target_language_code,
            )
            request = pb.TranslateRequest(model_selection=selection, texts=[CANARY])
            self._answers.append((request, await self._translate(request)))
        return [model.name for model in listed.models]

    async def look(self, num_inputs: int) -> list[str]:
        """What is wrong by now; `num_inputs` have been sent."""
        found = []
        for request, expected in self._answers:
            name = request.model_selection.model
            try:
                if await self._translate(request) != expected:
                    found.append(f"{name} translates the canary differently")
            except grpc.aio.AioRpcError as error:
                self.is_gone = error.code() is grpc.StatusCode.UNAVAILABLE
                found.append(f"{name} does not translate the canary: {error.code().name} {error.details()}")
        try:
            metrics = await scrape(self._http_address)
            self.samples.append((num_inputs, metrics[MEMORY_GAUGE]))
        except OSError as error:
            found.append(f"/metrics does not answer: {error}")
        return found

    async def until_idle(self) -> list[str]:
        """Wait until nothing is under way; what still is after IDLE_SECONDS."""
        deadline = time.monotonic() + IDLE_SECONDS
        while True:
            try:
                metrics = await scrape(self._http_address)
            except OSError as error:
                return [f"/metrics does not answer: {error}"]
            busy = [f"{name} is {metrics[name]:g} with nothing under way" for name in IDLE_GAUGES if metrics[name]]
            if not busy or time.monotonic() > deadline:
                return busy
            await asyncio.sleep(BUSY_SECONDS)

    async def _translate(self, request: pb.TranslateRequest) -> pb.TranslateResponse:
        for _ in range(BUSY_TRIES):
            try:
                return await self._ask(request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:  # the queue may well be full
                    raise
            await asyncio.sleep(BUSY_SECONDS)
        return await self._ask(request)

    async def _ask(self, request: pb.TranslateRequest) -> pb.TranslateResponse:
        response: pb.TranslateResponse = await self._translations.Translate(request, timeout=CALL_SECONDS)
        return response
