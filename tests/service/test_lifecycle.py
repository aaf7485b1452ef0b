"""Starting, draining, and readiness that follows the engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.fuzzing import frames
from service.api import readiness
from service.api.server import Server
from service.engine import worker
from service.engine.runner import OnnxRunner
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.settings import Settings
from tests.conftest import Serve
from tests.service.messages import CAT, EXACT, detail
from tests.service.waiting import eventually, http_get, http_status

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SLOW = pb.DecodingOptions(min_target_tokens=32, max_target_tokens=32)


async def health(channel: grpc.aio.Channel, name: str) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    return int(answer.status)


async def test_a_request_that_was_accepted_is_answered_and_a_new_one_is_refused(
    serve: Serve, brake: threading.Event
) -> None:
    async with serve(drain_seconds=20.0) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        brake.clear()
        accepted = [stub.Translate(CAT) for _ in range(5)]
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text="cat dog", model_selection=EXACT))
        worker = server.models.get("exact", "").worker
        await eventually(lambda: worker.num_unfinished == 6)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Translate(CAT, timeout=5)
        assert not stopping.done()
        brake.set()
        answers = await asyncio.gather(*accepted)
        pieces = [response.delta.text async for response in stream]
        await stopping
    assert [answer.results[0].hypotheses[0].text for answer in answers] == ["katu"] * 5
    assert "".join(pieces) == "hun katu"
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_what_does_not_finish_in_time_ends_with_a_clear_status(serve: Serve, brake: threading.Event) -> None:
    async with serve(drain_seconds=0.3) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        request = pb.TranslateRequest(texts=["cat\n" * 50], decoding=SLOW, model_selection=EXACT)
        brake.clear()
        running = asyncio.ensure_future(stub.Translate(request))
        await eventually(lambda: server.models.get("exact", "").worker.num_unfinished > 0)
        asyncio.get_running_loop().call_later(1.0, brake.set)
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 5
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await running
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "SHUTTING_DOWN"


async def test_it_is_not_ready_before_every_model_has_translated(models: Path, brake: threading.Event) -> None:
    addresses = {"grpc_address": "127.0.0.1:0", "http_address": "127.0.0.1:0"}
    server = Server(Settings(models=models, device="cpu", **addresses), "test")
    brake.clear()
    starting = asyncio.create_task(server.start())
    await eventually(lambda: bool(server.http_address))
    async with grpc.aio.insecure_channel(server.grpc_address) as channel:
        assert await health(channel, "") == NOT_SERVING
        assert (http_status(server, "/readyz"), http_status(server, "/livez")) == (503, 200)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(CAT)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        brake.set()
        assert (await starting)["exact"][1]
        assert await health(channel, "") == SERVING
        assert http_status(server, "/readyz") == 200
        assert (await pb_grpc.TranslationServiceStub(channel).Translate(CAT)).results
    await server.stop()


async def test_while_load_balancers_look_away_work_is_still_taken(serve: Serve) -> None:
    async with serve(drain_delay_seconds=2.0) as (server, channel):
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        assert await health(channel, "") == NOT_SERVING
        assert http_status(server, "/readyz") == 503
        assert http_status(server, "/livez") == 200
        assert (await pb_grpc.TranslationServiceStub(channel).Translate(CAT)).results
        await stopping


async def test_a_batch_ends_when_the_service_drains_and_loses_nothing_it_took(
    serve: Serve, brake: threading.Event
) -> None:
    async def requests() -> AsyncIterator[pb.BatchTranslateRequest]:
        yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT))
        for index in range(20):
            yield pb.BatchTranslateRequest(items=[pb.BatchItem(id=str(index), text="cat dog")])
        await asyncio.sleep(60)  # there would be more

    async with serve(drain_seconds=20.0) as (server, channel):
        brake.clear()
        call = pb_grpc.TranslationServiceStub(channel).BatchTranslate(requests())
        await eventually(lambda: server.models.get("exact", "").worker.num_unfinished == 20)
        answers = []
        asyncio.get_running_loop().call_later(0.2, brake.set)
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            while (answer := await call.read()) is not grpc.aio.EOF:
                answers.append(answer)
        await stopping
    assert {answer.result.hypotheses[0].text for answer in answers} == {"hun katu"}
    assert sorted(int(answer.id) for answer in answers) == list(range(20))
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_models_have_a_health_of_their_own(serve: Serve) -> None:
    async with serve() as (_, channel):
        assert await health(channel, "models/exact") == SERVING
        assert await health(channel, "models/small") == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health(channel, "models/none")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_engine_that_hangs_is_not_ready_and_one_that_goes_on_is(
    serve: Serve, brake: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "POLL_SECONDS", 0.05)
    async with serve(stall_seconds=1.0) as (server, channel):
        brake.clear()
        running = asyncio.ensure_future(pb_grpc.TranslationServiceStub(channel).Translate(CAT))
        await eventually(lambda: http_status(server, "/readyz") == 503)
        assert [await health(channel, name) for name in ("", "models/exact", "models/small")] == [
            NOT_SERVING,
            NOT_SERVING,
            SERVING,
        ]
        assert http_status(server, "/livez") == 200
        assert 'seq2serve_requests_running{model="exact"} 1.0' in http_get(server, "/metrics")[1]
        brake.set()
        assert (await running).results
        await eventually(lambda: http_status(server, "/readyz") == 200)
        assert await health(channel, "") == SERVING


async def test_an_engine_that_ended_makes_the_process_not_live(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as (server, channel):
        engine = server.models.get("exact", "").worker._engine
        monkeypatch.setattr(engine, "step", lambda: 1 / 0)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(CAT)
        assert raised.value.code() == grpc.StatusCode.INTERNAL
        await eventually(lambda: http_status(server, "/livez") == 503)
        await eventually(lambda: http_status(server, "/readyz") == 503)


async def test_an_engine_that_hangs_in_the_encoder_is_not_ready(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "POLL_SECONDS", 0.05)
    going, encode = threading.Event(), OnnxRunner.encode

    def braked(*arguments: Any) -> Any:
        going.wait(20)
        return encode(*arguments)

    async with serve(stall_seconds=1.0) as (server, channel):
        monkeypatch.setattr(OnnxRunner, "encode", braked)
        running = asyncio.ensure_future(pb_grpc.TranslationServiceStub(channel).Translate(CAT))
        await eventually(lambda: http_status(server, "/readyz") == 503)
        going.set()
        assert (await running).results


async def test_an_engine_that_hangs_does_not_hold_up_the_end(
    serve: Serve, brake: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "JOIN_SECONDS", 0.2)
    async with serve(drain_seconds=0.2) as (server, channel):
        brake.clear()
        running = asyncio.ensure_future(pb_grpc.TranslationServiceStub(channel).Translate(CAT))
        await eventually(lambda: server.models.get("exact", "").worker.num_unfinished == 1)
        await asyncio.wait_for(server.stop(), 5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await running
        brake.set()
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "SHUTTING_DOWN"


async def test_health_is_watched_by_those_who_read_whatever_others_do(serve: Serve) -> None:
    async with serve() as (server, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="models/exact"))
        assert (await watch.read()).status == SERVING
        everything = await stub.List(health_pb2.HealthListRequest())
        assert set(everything.statuses) >= {"", "models/exact", "models/small"}
        host, port = server.grpc_address.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        name = frames.grpc_message(health_pb2.HealthCheckRequest(service="models/exact").SerializeToString())
        no_window = frames.PREFACE + frames.settings([(0x4, 0)])
        call = frames.call(1, b"/grpc.health.v1.Health/Watch")
        writer.write(no_window + call + frames.frame(frames.DATA, frames.END_STREAM, 1, name))
        await asyncio.sleep(0.2)
        await asyncio.wait_for(server.manager.unload("exact"), 5)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
        writer.close()
