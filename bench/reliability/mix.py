"""What clients of all kinds ask, mixed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import grpc

from bench.reliability.calls import first_delta_then_cancel
from bench.reliability.questions import Kind, Question
from bench.reliability.tally import HANG_SECONDS, Asker, Status
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

ITEMS_PER_BATCH = 8
DEADLINES_SECONDS = (0.05, 5.0)
LATEST_CANCEL_SECONDS = 0.2
CANCELLED = "cancelled by us"
BUSY = (Status.RESOURCE_EXHAUSTED,)
"""Of a service that has less of the machine than when its capacity was measured: counted, and asked again."""
TRY_AGAIN_SECONDS = 2.0
MAX_ATTEMPTS = 30

_INVALID = (
    pb.TranslateRequest(),
    pb.TranslateRequest(texts=["a"], decoding=pb.DecodingOptions(beam_size=99)),
    pb.TranslateRequest(texts=["a"], decoding=pb.DecodingOptions(temperature=-1.0)),
    pb.TranslateRequest(texts=["a" * 30_000]),
    pb.TranslateRequest(texts=["a"], model_selection=pb.ModelSelection(source_language_code="no language")),
)


class Mix:
    """Draws requests; shares in percent."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._ways: dict[Callable[[Asker, float], Awaitable[None]], int] = {
            self._ask(Kind.GREEDY): 49,
            self._ask(Kind.STREAM): 25,
            self._ask(Kind.BEAM): 10,
            self._ask_batch: 8,
            self._ask_with_deadline: 5,
            self._cancel: 2,
            self._ask_nonsense: 1,
        }
        assert sum(self._ways.values()) == 100

    async def ask(self, asker: Asker, since: float | None = None) -> None:
        """One request; `since`: when it was due, on the clock of time.perf_counter."""
        [way] = self._rng.choices(list(self._ways), list(self._ways.values()))
        await way(asker, time.perf_counter() if since is None else since)

    def _ask(self, kind: Kind) -> Callable[[Asker, float], Awaitable[None]]:
        async def ask(asker: Asker, since: float) -> None:
            question = self._draw(asker, kind)
            await until_taken(lambda: asker.ask(question, BUSY, since=since), asker)

        return ask

    async def _ask_batch(self, asker: Asker, since: float) -> None:
        questions = [self._draw(asker, Kind.GREEDY) for _ in range(ITEMS_PER_BATCH)]
        await until_taken(lambda: asker.ask_batch(questions, BUSY, since), asker)

    async def _ask_with_deadline(self, asker: Asker, since: float) -> None:
        deadline = self._rng.uniform(*DEADLINES_SECONDS)
        await asker.ask(self._draw(asker, Kind.GREEDY), {Status.DEADLINE_EXCEEDED, *BUSY}, deadline, since)

    async def _cancel(self, asker: Asker, since: float) -> None:  # noqa: ARG002
        moment = None if self._rng.random() < 0.5 else self._rng.uniform(0, LATEST_CANCEL_SECONDS)
        try:
            await first_delta_then_cancel(asker.stub, self._draw(asker, Kind.STREAM).text, moment)
            asker.tally.statuses[CANCELLED] += 1
        except grpc.aio.AioRpcError as error:
            asker.tally.statuses[error.code().name] += 1
            if error.code() not in BUSY:
                asker.tally.fault(f"{error.code().name} before it was cancelled: {error.details()}")

    async def _ask_nonsense(self, asker: Asker, since: float) -> None:  # noqa: ARG002
        request = self._rng.choice(_INVALID)
        try:
            await asker.stub.Translate(request, timeout=HANG_SECONDS)
            asker.tally.fault(f"nonsense was answered: {str(request)[:200]}")
        except grpc.aio.AioRpcError as error:
            asker.tally.statuses[error.code().name] += 1
            if error.code() is not Status.INVALID_ARGUMENT:
                asker.tally.fault(f"nonsense gave {error.code().name}: {error.details()}")

    def _draw(self, asker: Asker, kind: Kind) -> Question:
        return self._rng.choice(asker.answers.of_kind(kind))


async def until_taken(ask: Callable[[], Awaitable[Status]], asker: Asker) -> None:
    """Ask again while the queue is full."""
    for _ in range(MAX_ATTEMPTS):
        if await ask() not in BUSY:
            return
        await asyncio.sleep(TRY_AGAIN_SECONDS)
    asker.tally.fault(f"lost: refused {MAX_ATTEMPTS} times")
