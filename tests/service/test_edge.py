"""What every RPC goes through: ids, limits, errors, log lines, the HTTP port."""

from __future__ import annotations

import asyncio
import http.client
import logging
import re
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.fuzzing import frames
from service.api.server import Server
from service.api.status import REQUEST_ID_KEY
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import CAT, EXACT, detail
from tests.service.waiting import eventually

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [("order-66", True), ("x" * 128, True), ("x" * 129, False), ("two words", False), ('"quoted"', False)],
)
async def test_a_plain_request_id_is_taken_over_and_others_are_replaced(
    serve: Serve, sent: str, is_taken: bool
) -> None:
    async with serve() as (_, channel):
        call = pb_grpc.TranslationServiceStub(channel).Translate(CAT, metadata=((REQUEST_ID_KEY, sent),))
        assert (await call).results
        got = dict(await call.trailing_metadata())[REQUEST_ID_KEY]
    assert (got == sent) is is_taken
    assert is_taken or re.fullmatch("[0-9a-f]{32}", got)


async def test_every_response_has_an_id_errors_and_streams_too(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(pb.TranslateRequest(), metadata=((REQUEST_ID_KEY, "mine"),))
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text="cat", model_selection=EXACT))
        assert [response async for response in stream]
        of_stream = dict(await stream.trailing_metadata())[REQUEST_ID_KEY]
        check = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        await check
        of_health = dict(await check.trailing_metadata())[REQUEST_ID_KEY]
    assert dict(raised.value.trailing_metadata() or ())[REQUEST_ID_KEY] == "mine"
    assert detail(raised.value, error_details_pb2.RequestInfo).request_id == "mine"
    assert len({of_stream, of_health, "mine"}) == 3


async def test_a_method_that_nobody_has_is_told_richly_even_where_no_message_comes(serve: Serve) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    async with serve() as (_, channel):
        for path in ("/seq2serve.v1.TranslationService/Guess", "/no.such.Service/Do"):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.stream_unary(path)(nothing(), timeout=5)
            assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "UNKNOWN_METHOD"


async def test_a_path_that_is_not_utf8_ends_no_rpc_and_does_not_silence_the_port(
    serve: Serve, brake: threading.Event
) -> None:
    async with serve() as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        brake.clear()
        running = asyncio.ensure_future(stub.Translate(CAT))
        await eventually(lambda: server.models.get("exact", "").worker.num_unfinished == 1)
        host, port = server.grpc_address.split(":")
        for number in range(1, 4):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(frames.hello() + frames.call(1, b"\xff"))
            await eventually(lambda wanted=number: replacements(server) == wanted)
            writer.close()
        brake.set()
        assert (await running).results
        async with grpc.aio.insecure_channel(server.grpc_address) as other:
            assert (await pb_grpc.TranslationServiceStub(other).Translate(CAT, timeout=5)).results


def replacements(server: Server) -> float:
    return server._metrics.registry.get_sample_value("seq2serve_grpc_port_replacements_total") or 0


async def test_a_message_that_is_too_long_names_the_limit(serve: Serve) -> None:
    async with serve(max_message_bytes=1024) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(TRANSLATE)(bytes(1025))
        assert "1025 bytes; limit 1024" in (raised.value.details() or "")
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(TRANSLATE)(bytes(5000))
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_long_metadata_are_refused(serve: Serve) -> None:
    async with serve(max_metadata_bytes=1024) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(CAT, metadata=(("x-long", "a" * 2000),))
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.Translate(CAT)).results


async def test_many_wrong_fields_are_told_within_what_clients_accept(serve: Serve) -> None:
    async with serve(max_text_characters=1) as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(pb.TranslateRequest(texts=["too long"] * 128))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert len(detail(raised.value, error_details_pb2.BadRequest).field_violations) == 16


@pytest.mark.parametrize("letter", ["x", "한", "\n"])
async def test_a_long_name_is_not_told_back_whole(serve: Serve, letter: str) -> None:
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(
                pb.TranslateRequest(texts=["cat"], model_selection=pb.ModelSelection(model=letter * 10**6))
            )
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert 100 < len(raised.value.details() or "") <= 1000
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "MODEL_NOT_FOUND"


async def test_more_rpcs_than_may_run_are_told_to_come_back(serve: Serve) -> None:
    slow = pb.DecodingOptions(min_target_tokens=32, max_target_tokens=32)
    request = pb.TranslateRequest(texts=["cat\n" * 20], decoding=slow, model_selection=EXACT)
    async with serve(max_rows=1, max_rpcs=2) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        outcomes = await asyncio.gather(*(stub.Translate(request) for _ in range(4)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert len(refused) == 2  # with more at once, gRPC's own limit might be first
    for error in refused:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert detail(error, error_details_pb2.ErrorInfo).reason == "TOO_MANY_RPCS"
        assert detail(error, error_details_pb2.RetryInfo).retry_delay.seconds == 1


async def test_an_unforeseen_error_tells_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as (server, channel):

        def fail(*_: object) -> None:
            raise OSError("/etc/secret is not a file")

        monkeypatch.setattr(server.models.get("exact", ""), "translate", fail)
        monkeypatch.setattr(server.models.get("exact", ""), "translating", lambda _: server.models.get("exact", ""))
        with caplog.at_level(logging.DEBUG), pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(CAT)
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert raised.value.details() == "an internal error; see the server's log"
    assert "secret" not in str(raised.value.trailing_metadata())
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "INTERNAL"
    assert "OSError" in caplog.text


@pytest.mark.parametrize(("allowed", "is_told"), [("no", False), ("yes", True)])
async def test_text_is_logged_only_where_that_is_set(
    serve: Serve, caplog: pytest.LogCaptureFixture, allowed: str, is_told: bool
) -> None:
    with caplog.at_level(logging.DEBUG, logger="service"):
        async with serve(log_request_text=allowed) as (_, channel):
            stub = pb_grpc.TranslationServiceStub(channel)
            await stub.Translate(pb.TranslateRequest(texts=["confidential cat"], model_selection=EXACT))
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Translate(pb.TranslateRequest(texts=["confidential dog"] * 200, model_selection=EXACT))
    lines = [record.getMessage() for record in caplog.records if record.name == "service.rpc"]
    assert any("TranslationService/Translate OK" in line for line in lines)
    assert any("INVALID_ARGUMENT INVALID_FIELD" in line for line in lines)
    assert ("confidential" in caplog.text) is is_told


def ask(address: str, request: bytes) -> bytes:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request)
        return connection.makefile("rb").read()


async def test_the_http_port_answers_get_and_head_alone(serve: Serve) -> None:
    async with serve() as (server, _):

        def status(method: str, path: str) -> tuple[int, bytes, str | None]:
            with closing(http.client.HTTPConnection(server.http_address, timeout=5)) as connection:
                connection.request(method, path)
                response = connection.getresponse()
                return response.status, response.read(), response.getheader("X-Content-Type-Options")

        assert (await asyncio.to_thread(status, "HEAD", "/livez")) == (200, b"", "nosniff")
        assert (await asyncio.to_thread(status, "POST", "/metrics"))[0] == 405
        assert (await asyncio.to_thread(status, "GET", "/../etc/passwd"))[0] == 404
        garbage = await asyncio.to_thread(ask, server.http_address, b"\x00\xff garbage\r\n\r\n")
        assert b"400" in garbage or garbage == b""


async def test_idle_http_connections_end_and_do_not_keep_others_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.http.connection.REQUEST_SECONDS", 0.5)
    async with serve(max_http_connections=2) as (server, _):
        host, port = server.http_address.split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(2)]
        await asyncio.sleep(0.2)
        for connection in idle:
            connection.sendall(b"G")
        refused = await asyncio.to_thread(ask, server.http_address, b"GET / HTTP/1.0\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        probed = await asyncio.to_thread(ask, server.http_address, b"GET /livez HTTP/1.0\r\n\r\n")
        assert probed.startswith(b"HTTP/1.1 200 ")
        deadline = time.monotonic() + 5
        while b" 503 " in await asyncio.to_thread(ask, server.http_address, b"GET / HTTP/1.0\r\n\r\n"):
            assert time.monotonic() < deadline, "idle connections are never ended"
            await asyncio.sleep(0.1)
        for connection in idle:
            connection.close()
