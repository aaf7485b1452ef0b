"""The items of one BatchTranslate stream: read, translated side by side, answered as they finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from service import request_context
from service.api.conversion import decoding_of, priority_of, result_of, text_violation
from service.api.decoding import Decoding
from service.api.explainer import Turns
from service.api.models import Models
from service.api.served_model import ServedModel
from service.api.status import foreseen, is_foreseen, message_of
from service.errors import FieldViolation, InvalidRequestError, ServiceError, ShuttingDownError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import Priority
from service.settings import Settings

MAX_ITEM_ID_CHARACTERS = 256
ROOM_SECONDS = 0.05
"""Between two looks at a full queue."""


@dataclass(frozen=True)
class _Choice:
    """What the items of a stream are translated with, until the model is retired."""

    model: ServedModel
    decoding: Decoding
    slots: asyncio.Semaphore
    turns: Turns | None
    """Where alignments are wanted."""


class BatchTranslation:
    """Backpressure: nothing is read while `max_rows` items are under way or their answers wait for the client."""

    def __init__(self, models: Models, settings: Settings, deadline: float | None) -> None:
        self._models = models
        self._settings = settings
        self._deadline = deadline
        self._config = pb.BatchConfig()
        self._choice: _Choice | None = None
        self._slots = asyncio.Semaphore(settings.max_rows)
        self._done: asyncio.Queue[pb.BatchTranslateResponse | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = ExitStack()

    async def read(self, requests: AsyncIterator[pb.BatchTranslateRequest], draining: asyncio.Event) -> None:
        """Start items as they come; ends when all of them are done. Raises what is wrong with the stream itself.

        Raises:
            ShuttingDownError: `draining` was set before the client had said all; what was started is done.
        """
        reading, told = asyncio.create_task(self._read(requests)), asyncio.create_task(draining.wait())
        try:
            await asyncio.wait((reading, told), return_when=asyncio.FIRST_COMPLETED)
            is_complete = reading.done()
            if is_complete:
                reading.result()
            reading.cancel()
            while self._tasks:
                await asyncio.wait(self._tasks)
            if not is_complete:
                raise ShuttingDownError("the service is shutting down; items that were not answered were not accepted")
        finally:
            reading.cancel()
            told.cancel()
            self._done.put_nowait(None)

    async def responses(self) -> AsyncIterator[pb.BatchTranslateResponse]:
        """Results in the order in which they finish."""
        while (response := await self._done.get()) is not None:
            yield response
            self._slots.release()

    def cancel(self) -> None:
        """Stop what is still under way, and give back what the stream holds."""
        for task in self._tasks:
            task.cancel()
        self._held.close()

    async def _read(self, requests: AsyncIterator[pb.BatchTranslateRequest]) -> None:
        is_first = True
        async for request in requests:
            if is_first:
                self._config, is_first = request.config, False
                self._choose()
            elif request.HasField("config"):
                raise InvalidRequestError.of("config", "only the first message of a stream may carry it")
            if len(request.items) > self._settings.max_texts:
                raise InvalidRequestError.of("items", f"{len(request.items)} given; limit {self._settings.max_texts}")
            for item in request.items:
                await request_context.current().wait()
                await self._slots.acquire()
                await self._room()
                task = asyncio.create_task(self._run(item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _room(self) -> None:
        """Wait until the queue takes another text: items are not refused, the client is read no further."""
        with suppress(ServiceError):  # of the choice, which the item will tell
            model = self._choose().model
            while not model.worker.has_room:
                await asyncio.sleep(ROOM_SECONDS)

    def _choose(self) -> _Choice:
        """What the next item is translated with: as before, or if that is retired what the configuration means now."""
        if self._choice is None or self._choice.model.is_retired:
            config = self._config
            model = self._models.select(config.model_selection)
            priority = priority_of(config.priority, Priority.BATCH, "config.priority")
            decoding = decoding_of(config.decoding, model, priority, "config.")
            # Of the stream, not of its items: they are not to be refused because there are many of them.
            turns = self._held.enter_context(model.explaining()) if config.return_options.alignment else None
            self._choice = _Choice(model, decoding, model.slots(), turns)
        return self._choice

    async def _run(self, item: pb.BatchItem) -> None:
        try:
            response = pb.BatchTranslateResponse(id=item.id, result=await self._translate(item))
        except Exception as error:
            if not is_foreseen(error):
                raise
            response = pb.BatchTranslateResponse(id=item.id, error=_item_error(error))
        self._done.put_nowait(response)

    async def _translate(self, item: pb.BatchItem) -> pb.TranslationResult:
        _check_item(item, self._settings)
        choice = self._choose()
        with choice.model.in_use():
            translations = await choice.model.translate(item.text, choice.decoding, self._deadline, choice.slots)
            wanted = self._config.return_options
            return await result_of(choice.model, translations, choice.decoding, wanted, choice.turns)


def _check_item(item: pb.BatchItem, settings: Settings) -> None:
    if len(item.id) > MAX_ITEM_ID_CHARACTERS:
        raise InvalidRequestError.of("items.id", f"{len(item.id)} characters; limit {MAX_ITEM_ID_CHARACTERS}")
    violation = text_violation(item.text, "items.text", settings)
    if violation is not None:
        raise InvalidRequestError([violation])


def _item_error(error: Exception) -> pb.ItemError:
    known = foreseen(error)
    violations: tuple[FieldViolation, ...] = known.violations if isinstance(known, InvalidRequestError) else ()
    return pb.ItemError(
        code=known.status.value[0],
        message=message_of(known),
        reason=known.reason,
        field=violations[0].field if violations else "",
    )
