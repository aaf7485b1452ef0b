"""Every metric moves by what it is said to count, and no label grows with what clients send."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator

import grpc
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench.fuzzing import frames
from service import errors
from service.api.server import OTHER_SERVICES, SERVICES, Server
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import CAT, EXACT
from tests.service.waiting import eventually, http_get

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = (("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01"),)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
SLOW = pb.DecodingOptions(min_target_tokens=32, max_target_tokens=32)
CONSTANT = {
    "seq2serve_build_info",
    "seq2serve_queue_limit",
    "seq2serve_model_info",
    "seq2serve_model_load_duration_seconds",
    "seq2serve_model_state",
    "seq2serve_ready",
}
"""What a server says of itself from its start to its end."""
ALL_WELL = {"seq2serve_refused_bundles"}
"""Zero as long as nothing is wrong; test_model_administration sees it move."""


def scrape(server: Server) -> Samples:
    status, page = http_get(server, "/metrics", OPEN_METRICS)
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """Of all series of that name with these labels."""
    return sum(
        value for (found, have), value in samples.items() if found == name and labels.items() <= dict(have).items()
    )


async def batch() -> AsyncIterator[pb.BatchTranslateRequest]:
    items = [pb.BatchItem(id=str(index), text="cat " * (index + 1)) for index in range(8)]
    yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT), items=items)


async def work(server: Server, channel: grpc.aio.Channel, brake: threading.Event) -> Samples:
    """Everything that metrics count; returns them as they were while work was under way."""
    stub = pb_grpc.TranslationServiceStub(channel)
    await stub.Translate(CAT, metadata=TRACED)
    beam = pb.DecodingOptions(beam_size=4)
    await stub.Translate(pb.TranslateRequest(texts=["big dog sees cat"], decoding=beam, model_selection=EXACT))
    assert [response async for response in stub.BatchTranslate(batch())]
    await stub.Score(pb.ScoreRequest(pairs=[pb.TextPair(source="cat", target="katu")], model_selection=EXACT))
    await model_service_pb2_grpc.ModelServiceStub(channel).ListModels(model_service_pb2.ListModelsRequest())
    for wrong in (pb.TranslateRequest(), pb.TranslateRequest(texts=["x"], model_selection={"model": "nobody"})):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Translate(wrong)
    assert (await asyncio.to_thread(http_get, server, "/nothing/here"))[0] == 404
    worker = server.models.get("exact", "").worker
    slow = pb.TranslateRequest(texts=["cat"], decoding=SLOW, model_selection=EXACT)
    brake.clear()
    gone = stub.TranslateStream(pb.TranslateStreamRequest(text="cat", decoding=SLOW, model_selection=EXACT))
    await eventually(lambda: worker.num_unfinished == 1)
    late = asyncio.ensure_future(stub.Translate(slow, timeout=1))
    many = [asyncio.ensure_future(stub.Translate(slow)) for _ in range(8)]
    await eventually(lambda: worker.num_unfinished == 10)
    assert worker.load().num_waiting["step"] >= 9
    brake.set()
    brake.clear()
    await eventually(lambda: worker.load().num_running == 4)
    with server.models.get("exact", "").explaining():
        during = await asyncio.to_thread(scrape, server)
    gone.cancel()
    with pytest.raises(grpc.aio.AioRpcError):
        await late
    brake.set()
    outcomes = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(outcome, pb.TranslateResponse) for outcome in outcomes)
    await eventually(lambda: not worker.num_unfinished)
    host, port = server.grpc_address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(frames.hello() + frames.call(1, b"\xff"))
    await eventually(lambda: server._metrics.registry.get_sample_value("seq2serve_grpc_port_replacements_total") == 1)
    writer.close()
    return during


async def test_every_metric_moves(serve: Serve, brake: threading.Event) -> None:
    async with serve(max_rows=4) as (server, channel):
        before = await asyncio.to_thread(scrape, server)
        during = await work(server, channel, brake)
        after = await asyncio.to_thread(scrape, server)
    ours = {name for name, _ in after if name.startswith(("seq2serve_", "grpc_"))}
    moved = {
        key[0]
        for key in before.keys() | during.keys() | after.keys()
        if len({m.get(key) for m in (before, during, after)}) > 1
    }
    assert ours - moved == CONSTANT | ALL_WELL
    assert {name for name in CONSTANT if total(after, name)} == CONSTANT

    def grown(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    translate = {"grpc_method": "Translate"}
    assert grown("grpc_server_started_total", **translate) == grown("grpc_server_handled_total", **translate) == 13
    assert grown("grpc_server_handled_total", grpc_code="DEADLINE_EXCEEDED") == 1
    assert grown("grpc_server_handled_total", grpc_code="CANCELLED") == 1
    assert grown("seq2serve_requests_total", model="exact", method="Translate", outcome="ok") == 10
    assert grown("seq2serve_requests_total", method="TranslateStream", outcome="cancelled") == 1
    assert grown("seq2serve_rejections_total", reason="INVALID_FIELD") == 1
    assert grown("seq2serve_rejections_total", reason="MODEL_NOT_FOUND") == 1
    assert grown("seq2serve_request_success_total", model="exact") == 18
    assert grown("seq2serve_request_success_total", finish_reason="length") >= 8
    assert grown("seq2serve_request_failures_total", reason="CANCELLED") == 1
    assert grown("seq2serve_http_requests_total", route="none", code="404") == 1
    assert grown("seq2serve_http_request_duration_seconds_count", route="none") == 1
    assert grown("seq2serve_e2e_request_latency_seconds_count") == 18
    assert grown("seq2serve_request_beam_size_sum") == 17 + 4
    assert grown("seq2serve_request_failures_total", reason="DEADLINE_EXCEEDED") == 1
    for reason in ("beam", "cancelled", "deadline"):
        assert grown("seq2serve_discarded_tokens_total", reason=reason) > 0
    assert grown("seq2serve_steps_total", execution="kernels") == grown(
        "seq2serve_step_duration_seconds_count", phase="decode"
    )
    assert grown("seq2serve_steps_total", execution="graph") == 0
    assert total(during, "seq2serve_requests_running", model="exact") == 4
    assert total(during, "seq2serve_requests_waiting", model="exact", reason="rows") >= 5
    assert total(during, "seq2serve_kv_cache_usage_ratio", model="exact", pool="cross") > 0
    for gauge in ("requests_running", "requests_waiting", "kv_cache_usage_ratio", "rpcs_running"):
        assert total(after, f"seq2serve_{gauge}") == 0


async def test_latency_names_a_trace(serve: Serve) -> None:
    async with serve() as (server, channel):
        await pb_grpc.TranslationServiceStub(channel).Translate(CAT, metadata=TRACED)
        _, page = await asyncio.to_thread(http_get, server, "/metrics", OPEN_METRICS)
    for name in ("seq2serve_e2e_request_latency_seconds", "grpc_server_handling_seconds"):
        assert any(line.startswith(name) and TRACE_ID in line for line in page.splitlines())


def known_label_values() -> dict[str, set[str]]:
    reasons = {kind.reason for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "reason")}
    methods = {method.name for service in (*SERVICES, *OTHER_SERVICES) for method in service.methods}
    return {
        "model": {"exact", "small"},
        "reason": reasons
        | {"CANCELLED", "INTERNAL", "rows", "encoder", "step", "queue", "beam", "cancelled", "deadline", "failed"},
        "grpc_method": methods | {"unknown"},
        "grpc_service": {service.full_name for service in (*SERVICES, *OTHER_SERVICES)} | {"unknown"},
        "grpc_type": {"unary", "server_stream", "bidi_stream", "unknown"},
        "grpc_code": {code.name for code in grpc.StatusCode},
        "method": methods,
        "outcome": {"ok", "refused", "cancelled", "deadline", "failed"},
        "phase": {"encode", "decode"},
        "execution": {"kernels", "graph"},
        "pool": {"self", "cross"},
        "finish_reason": {"end", "length"},
        "state": {"loading", "ready", "unloading", "failed"},
        "code": {"200", "404"},
        "route": {"/", "none"},
    }


async def test_no_label_takes_what_clients_send(serve: Serve) -> None:
    generator = random.Random(4)

    def word() -> str:
        return "".join(generator.choices("abcdefghijklmnop", k=12))

    async with serve() as (server, channel):
        for _ in range(60):
            selection = pb.ModelSelection(model=word(), source_language_code="en", target_language_code=word()[:8])
            metadata = (("x-request-id", word()), ("authorization", f"Bearer {word()}"), (word(), word()))
            request = pb.TranslateRequest(texts=[word()], model_selection=selection)
            for path in (f"/{word()}/{word()}", f"/seq2serve.v1.TranslationService/{word()}"):
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(path)(b"", metadata=metadata)
            with pytest.raises(grpc.aio.AioRpcError):
                await pb_grpc.TranslationServiceStub(channel).Translate(request, metadata=metadata)
        for path in ("/", f"/{word()}", f"/v1/{word()}"):
            await asyncio.to_thread(http_get, server, path)
        samples = await asyncio.to_thread(scrape, server)
    free = {"le", "version", "precision", "provider", "sha256", "implementation", "major", "minor", "patchlevel"}
    known = known_label_values()
    for _, labels in samples:
        for label, value in labels:
            assert label in free or value in known[label], f"{label}={value}"
