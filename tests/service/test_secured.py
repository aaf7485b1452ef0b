"""A whole server with TLS, clients and traces, and our own client before it."""

from __future__ import annotations

import asyncio
import threading
import time
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
import trustme
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service.client import Client, Credentials
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.collector import Collector, attributes
from tests.service.messages import CAT, EXACT, detail
from tests.service.waiting import eventually

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TOKENS = {name: f"{name}-secret" for name in ("reader", "operator", "small")}
LIMITS = {"small": "max_concurrent_requests = 1\nmax_source_tokens_per_minute = 20\n"}
PERMISSIONS = {
    "reader": '["translate", "read_models"]',
    "operator": '["administer_models"]',
    "small": '["translate"]',
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Settings of a server that lets three clients in."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "server.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (tmp_path / "server.key").write_bytes(issued.private_key_pem.bytes())
    clients = [
        f'[clients.{name}]\ntoken_sha256 = ["{sha256(token.encode()).hexdigest()}"]\n'
        f"permissions = {PERMISSIONS[name]}\n{LIMITS.get(name, '')}"
        for name, token in TOKENS.items()
    ]
    (tmp_path / "clients.toml").write_text("\n".join(clients))
    return {
        "tls_certificate": str(tmp_path / "server.crt"),
        "tls_key": str(tmp_path / "server.key"),
        "clients": str(tmp_path / "clients.toml"),
    }


def channel_to(address: str, files: dict[str, str]) -> grpc.aio.Channel:
    authority = Path(files["clients"]).with_name("ca.pem").read_bytes()
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority))


def token(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {TOKENS[name]}"),)


def allow(num_tokens: int, files: dict[str, str]) -> None:
    """Change what the small client may use in a minute."""
    clients = Path(files["clients"])
    clients.write_text(clients.read_text().replace("tokens_per_minute = 20", f"tokens_per_minute = {num_tokens}"))


async def test_clients_do_what_they_may_and_nobody_else_does_anything(serve: Serve, files: dict[str, str]) -> None:
    async with serve(**files) as (server, _), channel_to(server.grpc_address, files) as channel:
        translation, models = pb_grpc.TranslationServiceStub(channel), model_service_pb2_grpc.ModelServiceStub(channel)
        load = model_service_pb2.LoadModelRequest(directory="exact")
        assert (await translation.Translate(CAT, metadata=token("reader"))).results
        assert (await models.LoadModel(load, metadata=token("operator"))).model.name == "exact"
        for call, code in (
            (translation.Translate(CAT), grpc.StatusCode.UNAUTHENTICATED),
            (
                translation.Translate(CAT, metadata=(("authorization", "Bearer guess"),)),
                grpc.StatusCode.UNAUTHENTICATED,
            ),
            (translation.Translate(CAT, metadata=token("operator")), grpc.StatusCode.PERMISSION_DENIED),
            (models.LoadModel(load, metadata=token("reader")), grpc.StatusCode.PERMISSION_DENIED),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call
            assert raised.value.code() == code
            assert detail(raised.value, error_details_pb2.ErrorInfo).reason == code.name
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            assert [answer async for answer in reflect(iter([ask]))] == []
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert [answer async for answer in reflect(iter([ask]), metadata=token("small"))]


async def test_a_quota_that_is_used_up_says_when_there_is_more(serve: Serve, files: dict[str, str]) -> None:
    async with serve(**files) as (server, _), channel_to(server.grpc_address, files) as channel:
        stub = pb_grpc.TranslationServiceStub(channel)
        long = pb.TranslateRequest(texts=["cat dog bird tree\n" * 10], model_selection=EXACT)
        answered = await stub.Translate(long, metadata=token("small"))  # goes into debt, and is answered all the same
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(CAT, metadata=token("small"))
        assert (await stub.Translate(CAT, metadata=token("reader"))).results
    debt = answered.results[0].num_source_tokens - 20
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "QUOTA_EXCEEDED"
    violation = detail(raised.value, error_details_pb2.QuotaFailure).violations[0]
    assert violation.subject == "max_source_tokens_per_minute"
    assert detail(raised.value, error_details_pb2.RetryInfo).retry_delay.seconds == pytest.approx(debt * 3, abs=3)


async def test_a_client_has_as_many_requests_at_a_time_as_it_may(
    serve: Serve, files: dict[str, str], brake: threading.Event
) -> None:
    async with serve(**files) as (server, _), channel_to(server.grpc_address, files) as channel:
        stub = pb_grpc.TranslationServiceStub(channel)
        brake.clear()
        first = asyncio.ensure_future(stub.Translate(CAT, metadata=token("small")))
        await eventually(lambda: server.models.get("exact", "").worker.num_unfinished == 1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(CAT, metadata=token("small"))
        brake.set()
        assert (await first).results
        assert (await stub.Translate(CAT, metadata=token("small"))).results
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(raised.value, error_details_pb2.QuotaFailure).violations[0].subject == "max_concurrent_requests"


async def test_a_stream_of_items_counts_as_one_request_and_its_items_wait_for_the_quota(
    serve: Serve, files: dict[str, str]
) -> None:
    allow(600, files)
    item = pb.BatchItem(text="cat dog bird tree\n" * 123)
    async with serve(**files) as (server, _), channel_to(server.grpc_address, files) as channel:
        stub = pb_grpc.TranslationServiceStub(channel)
        stream = stub.BatchTranslate(metadata=token("small"))
        await stream.write(pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT)))
        await stream.write(pb.BatchTranslateRequest(items=[item]))
        debt = (await stream.read()).result.num_source_tokens - 600
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(CAT, metadata=token("small"))
        started = time.monotonic()
        await stream.write(pb.BatchTranslateRequest(items=[pb.BatchItem(text="cat")]))
        await stream.done_writing()
        assert (await stream.read()).result.hypotheses[0].text == "katu"
        waited = time.monotonic() - started
        assert await stream.code() == grpc.StatusCode.OK
    assert debt > 5
    assert waited > debt / 10 - 1  # 600 tokens a minute are ten a second, and it began to flow in before
    assert detail(raised.value, error_details_pb2.QuotaFailure).violations[0].subject == "max_concurrent_requests"


async def test_our_client_is_let_in(serve: Serve, files: dict[str, str]) -> None:
    authority = Path(files["clients"]).with_name("ca.pem")
    credentials = Credentials(tls=True, ca_file=authority, token=TOKENS["reader"])
    async with serve(**files) as (server, _):

        def translate() -> str:
            with Client(server.grpc_address, model="exact", credentials=credentials) as client:
                return client.translate("big cat")

        assert await asyncio.to_thread(translate) == "katu mak"


async def test_a_request_is_traced_from_its_caller_to_its_tokens(
    serve: Serve, files: dict[str, str], collector: Collector
) -> None:
    traced = (("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01"), ("x-request-id", "r-1"))
    async with (
        serve(**files, otlp_endpoint=collector.endpoint) as (server, _),
        channel_to(server.grpc_address, files) as channel,
    ):
        await pb_grpc.TranslationServiceStub(channel).Translate(CAT, metadata=token("reader") + traced)
    await eventually(lambda: "seq2serve.v1.TranslationService/Translate" in collector.spans)
    spans = collector.spans
    rpc, sentence = spans["seq2serve.v1.TranslationService/Translate"], spans["translate sentence"]
    assert {rpc.trace_id.hex(), sentence.trace_id.hex(), spans["decode"].trace_id.hex()} == {TRACE_ID}
    assert sentence.parent_span_id == rpc.span_id
    assert all(spans[name].parent_span_id == sentence.span_id for name in ("queue", "encode", "decode"))
    told = attributes(rpc.attributes)
    assert (told["seq2serve.client"], told["seq2serve.request_id"]) == ("reader", "r-1")
    assert "cat" not in str(rpc) + str(sentence)


async def test_a_sentence_whose_time_is_over_is_traced_too(
    serve: Serve, collector: Collector, brake: threading.Event
) -> None:
    async with serve(otlp_endpoint=collector.endpoint) as (_, channel):
        brake.clear()
        with pytest.raises(grpc.aio.AioRpcError):
            await pb_grpc.TranslationServiceStub(channel).Translate(CAT, timeout=0.3)
        brake.set()
    await eventually(lambda: "translate sentence" in collector.spans)
    assert attributes(collector.spans["translate sentence"].attributes)["error.type"] == "DEADLINE_EXCEEDED"
