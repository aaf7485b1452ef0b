"""The service over real gRPC."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import grpc
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service.api.memory_budget import demand_of
from service.bundle.manifest import Limits
from service.errors import MemoryBudgetError
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.settings import Settings
from tests import synthetic
from tests.conftest import Serve
from tests.service.messages import EXACT, LONG, option


async def test_empty_text_stays_empty_and_white_space_stays(serve: Serve) -> None:
    async with serve() as (_, channel):
        response = await pb_grpc.TranslationServiceStub(channel).Translate(
            pb.TranslateRequest(texts=["", " \n\t", "\ncat\n\n  dog \n"], model_selection=EXACT)
        )
    assert [result.hypotheses[0].text for result in response.results] == ["", " \n\t", "\nkatu\n\n  hun \n"]
    assert response.model == "exact"


async def test_a_text_longer_than_the_model_reads_is_translated_in_parts(serve: Serve) -> None:
    async with serve() as (server, channel):
        response = await pb_grpc.TranslationServiceStub(channel).Translate(
            pb.TranslateRequest(texts=[LONG], model_selection=EXACT)
        )
        parts = server.models.get("exact", "").segment(LONG).segments
        alone = await pb_grpc.TranslationServiceStub(channel).Translate(
            pb.TranslateRequest(texts=[part.text for part in parts], model_selection=EXACT)
        )
    assert len(parts) > 4
    assert " ".join(part.text for part in parts) == LONG
    assert response.results[0].num_source_tokens == sum(result.num_source_tokens for result in alone.results)
    assert response.results[0].hypotheses[0].text == " ".join(result.hypotheses[0].text for result in alone.results)


async def test_a_stream_adds_up_to_the_translation(serve: Serve) -> None:
    text = "red cat.\n\nthe big dog sees a bird 🙂. Go on.  "
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        plain = await stub.Translate(pb.TranslateRequest(texts=[text], model_selection=EXACT))
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text=text, model_selection=EXACT))
        responses = [response async for response in stream]
    assert all(response.HasField("delta") for response in responses[:-1])
    assert len(responses) > 5
    assert "".join(response.delta.text for response in responses[:-1]) == plain.results[0].hypotheses[0].text
    assert responses[-1].result == plain.results[0]


async def test_a_cancelled_stream_frees_its_row(serve: Serve) -> None:
    async with serve(max_rows=1) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        slow = pb.DecodingOptions(min_target_tokens=30, max_target_tokens=30)
        text = "\n".join(["cat dog bird"] * 200)
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text=text, decoding=slow))
        await stream.read()
        stream.cancel()
        answer = await stub.Translate(pb.TranslateRequest(texts=["cat"], model_selection=EXACT), timeout=5)
        assert answer.results[0].hypotheses[0].text == "katu"
        workers = [model.worker for model in server.models.all()]
        assert [worker.num_unfinished for worker in workers] == [0, 0]
        metrics = await scrape(server.http_address)
        assert metrics['seq2serve_requests_running{model="exact"}'] == 0
        assert metrics['seq2serve_request_failures_total{model="exact",reason="CANCELLED"}'] == 1


async def test_the_memory_allowed_decides_the_rows(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="service"):
        async with serve(max_cache_mebibytes=1, max_rows=64) as (server, channel):
            model = server.models.get("exact", "")
            assert 1 < model.max_rows < 64
            assert 0.8 * 2**20 < model.num_cache_bytes <= 2**20
            answer = await pb_grpc.TranslationServiceStub(channel).Translate(
                pb.TranslateRequest(texts=["cat"] * 20, model_selection=EXACT)
            )
    assert [result.hypotheses[0].text for result in answer.results] == ["katu"] * 20
    assert f"KV cache of {model.max_rows} rows, " in caplog.text
    with pytest.raises(MemoryBudgetError, match="max_cache_mebibytes 1: one row of exact takes"):
        demand_of(
            msgspec.structs.replace(model.manifest, limits=Limits(max_source_tokens=10**6, max_target_tokens=9)),
            Settings(max_cache_mebibytes=1),
        )


async def test_a_batch_answers_every_item_and_failures_stay_alone(serve: Serve) -> None:
    texts = {f"item-{index}": text for index, text in enumerate(synthetic.sentences(50, seed=7))}

    async def requests() -> AsyncIterator[pb.BatchTranslateRequest]:
        yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT))
        items = [pb.BatchItem(id=key, text=text) for key, text in texts.items()]
        yield pb.BatchTranslateRequest(items=[*items[:25], pb.BatchItem(id="bad", text="x" * 101)])
        yield pb.BatchTranslateRequest(items=items[25:])

    async with serve(max_text_characters=100) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        responses = {response.id: response async for response in stub.BatchTranslate(requests())}
        alone = await stub.Translate(pb.TranslateRequest(texts=list(texts.values()), model_selection=EXACT))
    bad = responses.pop("bad")
    assert (bad.error.code, bad.error.field) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "items.text")
    assert responses.keys() == texts.keys()
    assert [responses[key].result for key in texts] == list(alone.results)


async def test_a_batch_of_long_texts_does_not_fill_the_queue(serve: Serve) -> None:
    async def requests() -> AsyncIterator[pb.BatchTranslateRequest]:
        items = [pb.BatchItem(id=str(index), text="cat.\ndog.\n" * 20) for index in range(40)]
        yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT), items=items)

    async with serve(max_rows=8, max_waiting=8) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        responses = [response async for response in stub.BatchTranslate(requests())]
    assert len(responses) == 40
    assert not [response.error for response in responses if response.HasField("error")]


async def test_scores_of_a_translation_are_those_of_its_tokens(serve: Serve) -> None:
    wanted = pb.ReturnOptions(scores=True, token_log_probs=True)
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        translated = await stub.Translate(
            pb.TranslateRequest(texts=["big dog sees cat"], model_selection=EXACT, return_options=wanted)
        )
        best = translated.results[0].hypotheses[0]
        pairs = [pb.TextPair(source="big dog sees cat", target=target) for target in (best.text, "hun hun hun")]
        scored = await stub.Score(pb.ScoreRequest(pairs=pairs, model_selection=EXACT))
    assert best.log_prob == pytest.approx(sum(token.log_prob for token in best.tokens), abs=1e-4)
    assert best.score == pytest.approx(best.log_prob / ((5 + len(best.tokens)) / 6) ** 0.6, abs=1e-5)
    assert [token.piece for token in scored.scores[0].tokens] == [token.piece for token in best.tokens]
    assert scored.scores[0].log_prob == pytest.approx(best.log_prob, abs=1e-3)
    assert scored.scores[1].log_prob < best.log_prob - 1


async def test_attention_rows_sum_to_one_and_the_future_is_hidden(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await stub.Attend(pb.AttendRequest(source="big dog sees cat", model_selection=EXACT))
    assert [token.piece for token in response.source_tokens][-1] == "</s>"
    assert len(response.maps) == 3 * 2 * 4
    for attention in response.maps:
        rows = [
            attention.weights[row * attention.columns : (row + 1) * attention.columns] for row in range(attention.rows)
        ]
        assert [sum(row) for row in rows] == pytest.approx([1.0] * attention.rows, abs=1e-5)
        if attention.kind == pb.ATTENTION_KIND_DECODER_SELF:
            assert all(weight == 0 for index, row in enumerate(rows) for weight in row[index + 1 :])


async def test_the_alignment_of_a_reversed_language_is_reversed(serve: Serve) -> None:
    source = "red bird eats book. old tree sees house."
    wanted = pb.ReturnOptions(alignment=True)
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await stub.Translate(
            pb.TranslateRequest(texts=[source.replace(".", "\n")], model_selection=EXACT, return_options=wanted)
        )
    best = response.results[0].hypotheses[0]
    assert best.alignment
    for link in best.alignment:
        assert 0 <= link.source_begin <= link.source_end <= len(source)
        assert 0 <= link.target_begin <= link.target_end <= len(best.text)
        assert 0 <= link.weight <= 1.0001
    words = {best.text[link.target_begin : link.target_end] for link in best.alignment}
    assert all(word == word.strip() for word in words)
    covered = "".join(best.text[link.target_begin : link.target_end] for link in best.alignment)
    assert covered.replace(" ", "") == "".join(best.text.split())


async def test_the_same_seed_gives_the_same_sample(serve: Serve) -> None:
    hot = {"temperature": 3.0, "top_k": 50}
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        first, again, other = [await stub.Translate(option(**hot, seed=seed)) for seed in (1, 1, 2)]
    assert first == again
    assert first != other


async def test_a_prefix_begins_the_translation(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await stub.Translate(option(target_prefix="hun"))
    assert response.results[0].hypotheses[0].text.startswith("hun")


async def test_models_are_listed_page_by_page(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        first = await stub.ListModels(model_service_pb2.ListModelsRequest(page_size=1))
        second = await stub.ListModels(
            model_service_pb2.ListModelsRequest(page_size=1, page_token=first.next_page_token)
        )
        got = await stub.GetModel(model_service_pb2.GetModelRequest(name="small"))
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await stub.GetModel(model_service_pb2.GetModelRequest(name="large"))
    assert [model.name for model in first.models] == ["exact"]
    assert [model.name for model in second.models] == ["small"]
    assert second.next_page_token == ""
    assert got.model == second.models[0]
    assert (got.model.precision, got.model.max_source_tokens) == ("int8", 32)
    assert got.model.state == model_service_pb2.MODEL_STATE_READY
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


async def test_health_and_reflection(serve: Serve) -> None:
    async with serve() as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "seq2serve.v1.TranslationService", "seq2serve.v1.ModelService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

        async def ask() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")

        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = [answer async for answer in stub.ServerReflectionInfo(ask())]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {"seq2serve.v1.TranslationService", "seq2serve.v1.ModelService", "grpc.health.v1.Health"} <= names


async def test_metrics_and_http(serve: Serve) -> None:
    async with serve() as (server, channel):
        await pb_grpc.TranslationServiceStub(channel).Translate(
            pb.TranslateRequest(texts=["cat", "big dog"], model_selection=EXACT)
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await pb_grpc.TranslationServiceStub(channel).Translate(pb.TranslateRequest())
        metrics = await scrape(server.http_address)
        page, models = await get(server.http_address, "/"), await get(server.http_address, "/v1/models")
        assert await get(server.http_address, "/readyz") == "ready\n"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await get(server.http_address, "/nothing")
    label = 'model="exact"'
    assert metrics[f'seq2serve_request_success_total{{finish_reason="end",{label}}}'] == 3  # one to warm up
    assert metrics[f"seq2serve_e2e_request_latency_seconds_count{{{label}}}"] == 3
    rpc = 'grpc_method="Translate",grpc_service="seq2serve.v1.TranslationService",grpc_type="unary"'
    assert metrics[f"grpc_server_started_total{{{rpc}}}"] == 2
    assert metrics[f'grpc_server_handled_total{{grpc_code="INVALID_ARGUMENT",{rpc}}}'] == 1
    assert metrics[f'grpc_server_handled_total{{grpc_code="OK",{rpc}}}'] == 1
    assert not any(name.split("{")[0].endswith("_created") for name in metrics)
    assert "<title>" in page
    assert [model["name"] for model in json.loads(models)["models"]] == ["exact", "small"]


async def test_draining_finishes_what_was_accepted_and_refuses_the_rest(serve: Serve) -> None:
    async with serve(max_rows=1, drain_seconds=20.0) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        slow = pb.DecodingOptions(min_target_tokens=30, max_target_tokens=30)
        request = pb.TranslateRequest(texts=["\n".join(["cat dog"] * 100)], model_selection=EXACT, decoding=slow)
        call = stub.Translate(request)
        async with asyncio.timeout(5):
            while not server.models.get("exact", "").worker.num_unfinished:
                await asyncio.sleep(0.001)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.05)
        assert not call.done()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Translate(request)
        response = await call
        await stopping
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert response.results[0].hypotheses[0].text.count("\n") == 99


async def get(address: str, path: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as response:
            content: bytes = response.read()
            return content.decode()

    return await asyncio.to_thread(fetch)


async def scrape(address: str) -> dict[str, float]:
    lines = (await get(address, "/metrics")).splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
