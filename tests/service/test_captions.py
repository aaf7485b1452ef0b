"""CaptionService against the PyTorch model that its bundle was made of."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from hashlib import sha256
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from service.pb.seq2serve.v1 import caption_service_pb2 as pb
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as pb_grpc
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as text_pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as text_grpc
from tests.conftest import Captioner, Serve
from tests.pictures import COLUMNS, MAX_TOKENS, NAME, NUM_CELLS, ROWS, png, random_pixels
from tests.service.messages import CAT, detail
from tests.service.waiting import eventually, http_get
from training.search import BeamSettings, beam_search

PICTURES = random_pixels(20, seed=1)


def asked(pixels: np.ndarray, language: str = "en", **options: object) -> pb.CaptionRequest:
    return pb.CaptionRequest(
        image=png(pixels),
        model_selection=text_pb.ModelSelection(target_language_code=language),
        decoding=text_pb.DecodingOptions(**options),  # type: ignore[arg-type]
    )


def pieces(hypothesis: pb.CaptionHypothesis) -> list[str]:
    return [token.piece for token in hypothesis.tokens if token.piece != "</s>"]


async def refusal(call: object) -> tuple[grpc.StatusCode, str, str]:
    """Status, reason and message."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call  # type: ignore[misc]
    return raised.value.code(), detail(raised.value, error_details_pb2.ErrorInfo).reason, raised.value.details() or ""


async def test_captions_are_those_of_pytorch_alone_and_among_others(serve: Serve, captioner: Captioner) -> None:
    wanted = [(pixels, language) for pixels in PICTURES for language in ("en", "ko")]
    generator = random.Random(1)
    async with serve(models=captioner.models, max_rows=6) as (server, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        tokenizer = server.models.get(NAME, "").bundle.target_tokenizer

        async def arrive(pixels: np.ndarray, language: str) -> pb.CaptionResponse:
            await asyncio.sleep(generator.random() * 0.1)
            beam = generator.choice((1, 3))  # neighbours of other kinds
            response = await stub.Caption(asked(pixels, language, beam_size=beam))
            return response if beam == 1 else await stub.Caption(asked(pixels, language))

        together = await asyncio.gather(*(arrive(*one) for one in wanted))
        alone = [await stub.Caption(asked(*one)) for one in wanted]
        # Words come of one picture at a time in both; what is compared beyond them is the engine's.
        assert [one.hypotheses[0].text for one in together] == [one.hypotheses[0].text for one in alone]
        for response, (pixels, language) in zip(alone, wanted, strict=True):
            tokens, _ = captioner.model.describe(pixels, language)
            assert pieces(response.hypotheses[0]) == [tokenizer.piece(token) for token in tokens]
            assert response.caption == response.hypotheses[0].text == tokenizer.decode(tokens)
            assert (response.language_code, response.model, response.model_version) == (language, NAME, "1")
            assert response.hypotheses[0].log_prob == pytest.approx(
                sum(token.log_prob for token in response.hypotheses[0].tokens), abs=1e-4
            )
    assert len({response.caption for response in alone}) > 20


async def test_every_word_has_the_attention_that_pytorch_has(serve: Serve, captioner: Captioner) -> None:
    num_words = 0
    async with serve(models=captioner.models) as (server, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        model = server.models.get(NAME, "")
        for pixels in PICTURES:
            response = await stub.Caption(asked(pixels))
            tokens, weights = captioner.model.describe(pixels, "en")
            offsets = np.array(model.target_offsets(tuple(tokens), model.protect(""))).reshape(-1, 2)
            assert [word.word for word in response.words] == [
                response.caption[word.begin : word.end] for word in response.words
            ]
            bare = (part.strip(".,") for part in response.caption.split())
            assert [word.word for word in response.words] == [word for word in bare if word]
            for word in response.words:
                own = [i for i, (begin, end) in enumerate(offsets) if begin < word.end and end > word.begin]
                grid = word.attention
                assert (grid.rows, grid.columns, len(grid.weights)) == (ROWS, COLUMNS, NUM_CELLS)
                assert np.abs(np.array(grid.weights) - weights[own].mean(dim=0).numpy()).max() < 1e-5
                assert sum(grid.weights) == pytest.approx(1, abs=1e-5)
                num_words += 1
        request = asked(PICTURES[0])
        request.omit_words = True
        assert not (await stub.Caption(request)).words
    assert num_words > 40


async def test_beams_are_those_of_the_slow_search(serve: Serve, captioner: Captioner) -> None:
    async with serve(models=captioner.models) as (server, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        tokenizer = server.models.get(NAME, "").bundle.target_tokenizer
        for pixels in PICTURES[:6]:
            # Without a length penalty the tag, whose probability is one factor of all captions, changes no order.
            options = {"beam_size": 4, "num_hypotheses": 3, "length_penalty": 0.0, "early_stopping": False}
            response = await stub.Caption(asked(pixels, "ko", **options))
            expected = beam_search(
                captioner.model.next_log_probs(pixels, "ko"),
                BeamSettings(4, MAX_TOKENS, 3, length_penalty=0.0, is_early_stopping=False),
            )
            assert [pieces(found) for found in response.hypotheses] == [
                [tokenizer.piece(token) for token in found.token_ids] for found in expected
            ]
            assert [found.log_prob for found in response.hypotheses] == pytest.approx(
                [found.log_prob for found in expected], abs=1e-3
            )


async def test_limits_are_those_of_what_is_shown(serve: Serve, captioner: Captioner) -> None:
    async with serve(models=captioner.models) as (_, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        for options in ({"max_target_tokens": 2}, {"min_target_tokens": 12}, {"target_prefix": "a red dog"}):
            found = (await stub.Caption(asked(PICTURES[3], **options))).hypotheses[0]
            if "max_target_tokens" in options:
                assert len(pieces(found)) == 2
                assert found.finish_reason == text_pb.FINISH_REASON_LENGTH
            elif "min_target_tokens" in options:
                assert len(pieces(found)) == MAX_TOKENS
            else:
                assert found.text.startswith("a red dog")
        sampled = [await stub.Caption(asked(PICTURES[3], temperature=1.5, seed=seed)) for seed in (1, 1, 2, 3, 4)]
        assert sampled[0] == sampled[1]
        assert len({one.caption for one in sampled}) > 1
        for options, field in (
            ({"max_target_tokens": MAX_TOKENS + 1}, "decoding.max_target_tokens"),
            ({"target_prefix": "a red dog " * 6}, "decoding.target_prefix"),
            ({"terminology": [text_pb.Term(source="a", target="b")]}, "decoding.terminology"),
        ):
            code, _, message = await refusal(stub.Caption(asked(PICTURES[3], **options)))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert message.startswith(field)


async def test_a_model_is_asked_for_what_it_is_for(serve: Serve, captioner: Captioner) -> None:
    async with serve(models=captioner.models) as (server, channel):
        captions, texts = pb_grpc.CaptionServiceStub(channel), text_grpc.TranslationServiceStub(channel)
        request = asked(PICTURES[0], "")
        assert (await captions.Caption(request)).language_code == "en"
        request.model_selection.target_language_code = "ko-KR"
        assert (await captions.Caption(request)).language_code == "ko"
        assert (await texts.Translate(text_pb.TranslateRequest(texts=["cat"]))).model == "exact"
        models = await model_service_pb2_grpc.ModelServiceStub(channel).ListModels(
            model_service_pb2.ListModelsRequest()
        )
        assert {model.name: model.task for model in models.models} == {
            NAME: model_service_pb2.MODEL_TASK_CAPTION,
            "exact": model_service_pb2.MODEL_TASK_TRANSLATE,
        }
        [described] = [model for model in models.models if model.name == NAME]
        assert (described.source_language_code, described.target_language_code) == ("", "en")
        assert (described.max_source_tokens, described.max_target_tokens) == (NUM_CELLS, MAX_TOKENS)

        invalid, missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
        for selection, code, message in (
            ({"model": "exact"}, invalid, "model_selection.model: exact translates text, by TranslationService"),
            (
                {"source_language_code": "en"},
                invalid,
                "model_selection.source_language_code: a picture has no language",
            ),
            ({"target_language_code": "fr"}, missing, "no model writes captions in 'fr'; known: en, ko"),
            ({"target_language_code": "!"}, invalid, "model_selection.target_language_code"),
            ({"model": "none"}, missing, "model_selection.model: no model 'none'"),
        ):
            refused = pb.CaptionRequest(image=request.image, model_selection=text_pb.ModelSelection(**selection))
            told = await refusal(captions.Caption(refused))
            assert (told[0], message in told[2]) == (code, True), told
        refused = text_pb.TranslateRequest(texts=["cat"], model_selection=text_pb.ModelSelection(model=NAME))
        assert await refusal(texts.Translate(refused)) == (
            invalid, "INVALID_FIELD", f"model_selection.model: {NAME} describes pictures, by CaptionService",
        )  # fmt: skip
        await server.manager.unload(NAME)
        code, _, message = await refusal(captions.Caption(asked(PICTURES[0])))
        assert (code, message) == (
            missing, "model_selection: no model here describes pictures, by CaptionService; served: exact",
        )  # fmt: skip


async def test_bad_pictures_are_refused_and_harm_nobody(serve: Serve, captioner: Captioner) -> None:
    good = png(PICTURES[0])
    async with serve(models=captioner.models, max_image_bytes=4000, max_image_pixels=1000) as (_, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        for image, message in (
            (b"", "image: is empty"),
            (good[:-60], "image: is damaged or cut short"),
            (b"\x00" * 4001, "image: 4001 bytes; limit 4000"),
            (png(np.zeros((40, 30, 3), np.uint8)), "image: 30 x 40 pixels; limit 1000 in all"),
            (b"GIF89a" + good, "image: is neither PNG nor JPEG"),
        ):
            code, _, told = await refusal(stub.Caption(pb.CaptionRequest(image=image)))
            assert (code, message in told) == (grpc.StatusCode.INVALID_ARGUMENT, True), told
        assert (await stub.Caption(asked(PICTURES[0]))).hypotheses


async def test_captions_are_counted_and_their_cells_spent(serve: Serve, captioner: Captioner, tmp_path: Path) -> None:
    clients = tmp_path / "clients.toml"
    clients.write_text(
        "".join(
            f'[clients.{name}]\ntoken_sha256 = ["{sha256(name.encode()).hexdigest()}"]\npermissions = [{permission}]\n'
            f"max_source_tokens_per_minute = {NUM_CELLS - 1}\n"
            for name, permission in (("painter", '"translate"'), ("reader", '"read_models"'))
        )
    )
    async with serve(models=captioner.models, clients=str(clients)) as (server, channel):
        stub = pb_grpc.CaptionServiceStub(channel)

        def call(name: str) -> object:
            return stub.Caption(asked(PICTURES[0]), metadata=(("authorization", f"Bearer {name}"),))

        assert (await call("painter")).hypotheses  # type: ignore[misc]
        assert (await refusal(call("painter")))[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert (await refusal(call("reader")))[0] is grpc.StatusCode.PERMISSION_DENIED
        assert (await refusal(call("nobody")))[0] is grpc.StatusCode.UNAUTHENTICATED
        page = (await asyncio.to_thread(http_get, server, "/metrics"))[1]
    for line in (
        f'seq2serve_requests_total{{method="Caption",model="{NAME}",outcome="ok"}} 1.0',
        f'seq2serve_source_tokens_total{{model="{NAME}"}} {2.0 * NUM_CELLS}',  # the warm-up's as well
        'grpc_server_handled_total{grpc_code="PERMISSION_DENIED",grpc_method="Caption",'
        'grpc_service="seq2serve.v1.CaptionService",grpc_type="unary"} 1.0',
    ):
        assert line in page


async def test_who_leaves_frees_the_rows(serve: Serve, captioner: Captioner, brake: threading.Event) -> None:
    async with serve(models=captioner.models) as (server, channel):
        stub, worker = pb_grpc.CaptionServiceStub(channel), server.models.get(NAME, "").worker
        brake.clear()
        leaving = stub.Caption(asked(PICTURES[0], beam_size=4))
        late = stub.Caption(asked(PICTURES[1]), timeout=0.3)
        await eventually(lambda: worker.num_unfinished == 2)
        leaving.cancel()
        assert await late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        brake.set()
        await eventually(lambda: worker.num_unfinished == 0 and worker.load().num_rows["decode"] == 0)
        assert (await stub.Caption(asked(PICTURES[0]))).hypotheses


async def test_logs_hold_no_bytes_of_pictures(
    serve: Serve, captioner: Captioner, caplog: pytest.LogCaptureFixture
) -> None:
    image = png(PICTURES[0])
    with caplog.at_level(logging.DEBUG, "service"):
        async with serve(models=captioner.models, log_request_text="yes") as (_, channel):
            await pb_grpc.CaptionServiceStub(channel).Caption(pb.CaptionRequest(image=image))
            await text_grpc.TranslationServiceStub(channel).Translate(CAT)
    told = [getattr(record, "request", "") for record in caplog.records]
    assert [text for text in told if "image" in text] == [f'image: "{len(image)} bytes"\n']
    assert any("cat" in text for text in told)
    assert "IHDR" not in caplog.text
