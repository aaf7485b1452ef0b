"""Streams of items: what a client does not take holds it up, what changes meanwhile does not."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from service import request_context
from service.api.batch_translation import BatchTranslation
from service.errors import InvalidRequestError, ShuttingDownError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.request_context import RequestContext
from service.settings import Settings
from tests.conftest import Serve
from tests.service.bundles import change, managing, version
from tests.service.waiting import eventually

CONFIG = pb.BatchConfig(model_selection=pb.ModelSelection(model="exact"))
ENGLISH = pb.BatchConfig(model_selection=pb.ModelSelection(model="exact", source_language_code="en"))
NOBODY = RequestContext()
MAX_ROWS = 4


@pytest.fixture
def models(models: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return shutil.copytree(models, tmp_path / "models")


class Client:
    """Sends items when it is told to."""

    def __init__(self, config: pb.BatchConfig) -> None:
        self._inbox: asyncio.Queue[pb.BatchTranslateRequest | None] = asyncio.Queue()
        self.num_read = 0
        self.send_request(pb.BatchTranslateRequest(config=config))

    def send_request(self, request: pb.BatchTranslateRequest) -> None:
        self._inbox.put_nowait(request)

    def send(self, *ids: str, text: str = "cat") -> None:
        """One message for each item."""
        for item in ids:
            self.send_request(pb.BatchTranslateRequest(items=[pb.BatchItem(id=item, text=text)]))

    def close(self) -> None:
        self._inbox.put_nowait(None)

    async def requests(self) -> AsyncIterator[pb.BatchTranslateRequest]:
        while (request := await self._inbox.get()) is not None:
            self.num_read += 1
            yield request


@asynccontextmanager
async def streaming(
    directory: Path, context: RequestContext = NOBODY, config: pb.BatchConfig = CONFIG
) -> AsyncIterator[tuple]:
    """A manager, a client, its batch, the task that reads it, and the event of draining."""
    async with managing(directory, max_rows=MAX_ROWS) as (manager, _):
        request_context.enter(context)
        client, draining = Client(config), asyncio.Event()
        batch = BatchTranslation(manager.models, Settings(max_rows=MAX_ROWS), None)
        reader = asyncio.create_task(batch.read(client.requests(), draining))
        try:
            yield manager, client, batch.responses(), reader, draining
        finally:
            reader.cancel()
            batch.cancel()


async def test_a_client_that_does_not_take_answers_is_read_no_further(models: Path) -> None:
    async with streaming(models) as (manager, client, responses, _, _):
        client.send(*(str(number) for number in range(100)))
        client.close()
        await eventually(lambda: client.num_read == MAX_ROWS + 2)  # with the configuration and the one that waits
        await asyncio.sleep(0.2)
        assert client.num_read == MAX_ROWS + 2
        assert manager.models.get("exact", "").num_requests == 0  # no model is held for answers that wait
        first = await anext(responses)
        await asyncio.sleep(0.1)
        assert client.num_read == MAX_ROWS + 2  # taken, but not yet sent
        ids = [first.id, *[response.id async for response in responses]]
        assert sorted(map(int, ids)) == list(range(100))


async def test_the_next_item_goes_to_the_new_version(models: Path) -> None:
    async with streaming(models) as (manager, client, responses, reader, _):
        old = manager.models.get("exact", "")
        client.send("slow", text="cat\n" * 300)
        await eventually(lambda: old.num_requests == 1)
        change(models / "exact", version="2")
        new = await manager.load("exact")
        client.send("quick")
        assert (await anext(responses)).id == "quick"
        assert (old.num_requests, version(new)) == (1, "2")
        slow = await anext(responses)
        assert slow.result.hypotheses[0].text == "katu\n" * 300
        await manager.unload("exact")
        client.send("late")
        late = await anext(responses)
        assert (late.error.code, late.error.reason) == (grpc.StatusCode.NOT_FOUND.value[0], "MODEL_NOT_FOUND")
        await manager.load("exact")
        client.send("later")
        client.close()
        assert [response.result.hypotheses[0].text async for response in responses] == ["katu"]
        await reader


async def test_what_the_new_version_does_not_allow_is_the_items_error(models: Path) -> None:
    async with streaming(models, config=ENGLISH) as (manager, client, responses, _, _):
        client.send("before")
        assert (await anext(responses)).HasField("result")
        change(models / "exact", source_language="de", version="2")
        await manager.load("exact")
        client.send("after")
        refused = (await anext(responses)).error
        assert refused.message == "model_selection.source_language_code: no model translates from 'en'; known: de"


async def test_draining_answers_what_was_accepted_and_says_so(models: Path) -> None:
    async with streaming(models) as (_, client, responses, reader, draining):
        client.send("a", "b", text="cat\n" * 100)
        await eventually(lambda: client.num_read == 3)
        draining.set()
        await asyncio.sleep(0.01)
        client.send("c")
        assert {response.id async for response in responses} == {"a", "b"}
        with pytest.raises(ShuttingDownError, match="items that were not answered were not accepted"):
            await reader
        assert client.num_read == 3


async def test_a_stream_whose_client_has_said_all_ends_well_while_draining(models: Path) -> None:
    async with streaming(models) as (_, client, responses, reader, draining):
        client.send("a", "b", text="cat\n" * 100)
        client.close()
        await eventually(lambda: client.num_read == 3)
        await asyncio.sleep(0.01)
        draining.set()
        assert {response.id async for response in responses} == {"a", "b"}
        await reader


async def test_a_wrong_configuration_ends_the_stream(models: Path) -> None:
    async with streaming(models) as (_, client, responses, reader, _):
        client.send_request(pb.BatchTranslateRequest(config=CONFIG))
        assert [response async for response in responses] == []
        with pytest.raises(InvalidRequestError, match="only the first message"):
            await reader


async def test_items_wait_for_the_clients_quota_and_are_counted(models: Path) -> None:
    has_room, spent = asyncio.Event(), []

    async def wait() -> None:
        await has_room.wait()

    context = RequestContext(spend=spent.append, wait=wait)
    async with streaming(models, context) as (manager, client, responses, _, _):
        client.send("a", text="big dog\nsees cat")
        client.close()
        await eventually(lambda: client.num_read == 2)
        await asyncio.sleep(0.05)
        assert spent == []
        has_room.set()
        [response] = [response async for response in responses]
        assert len(spent) == 2
        assert sum(spent) == response.result.num_source_tokens
        change(models / "exact", version="2")
        await manager.load("exact")
        assert len(spent) == 2  # a warm-up is nobody's to pay


async def test_a_draining_server_ends_streams_in_order(serve: Serve) -> None:
    async with serve(drain_seconds=10.0) as (server, channel):
        call = pb_grpc.TranslationServiceStub(channel).BatchTranslate()
        await call.write(pb.BatchTranslateRequest(config=CONFIG, items=[pb.BatchItem(id="a", text="cat\n" * 300)]))
        await eventually(lambda: server.models.get("exact", "").num_requests == 1)
        stopping = asyncio.create_task(server.stop())
        response = await call.read()
        assert response.id == "a"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        await stopping
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "were not accepted" in (ended.value.details() or "")
