"""Attend over real gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from service.api import attention
from service.client import Attention, Client
from service.client.__main__ import main
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import EXACT, detail

SOURCE = "big dog sees %s cat"
ENCODER, DECODER, CROSS = pb.ATTENTION_KIND_ENCODER_SELF, pb.ATTENTION_KIND_DECODER_SELF, pb.ATTENTION_KIND_CROSS


def rows_of(one: pb.AttentionMap) -> np.ndarray:
    return np.array(one.weights).reshape(one.rows, one.columns)


def places(maps: object) -> list[tuple[int, int, int]]:
    return [(one.kind, one.layer, one.head) for one in maps]  # type: ignore[attr-defined]


async def attend(channel: grpc.aio.Channel, **fields: object) -> pb.AttendResponse:
    request = pb.AttendRequest(**{"model_selection": EXACT, "source": SOURCE, **fields})
    response: pb.AttendResponse = await pb_grpc.TranslationServiceStub(channel).Attend(request)
    return response


async def test_everything_there_is_to_see(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await attend(channel)
        wanted = pb.ReturnOptions(alignment=True)
        request = pb.TranslateRequest(texts=[SOURCE], model_selection=EXACT, return_options=wanted)
        best = (await stub.Translate(request)).results[0].hypotheses[0]
    assert (response.source, response.target) == (SOURCE, best.text)
    assert list(response.alignment) == list(best.alignment)
    kinds = (ENCODER, DECODER, CROSS)
    assert places(response.maps) == [(kind, layer, head) for kind in kinds for layer in range(2) for head in range(4)]
    assert places(response.averages) == [(kind, *mean) for kind in kinds for mean in ((0, -1), (1, -1), (-1, -1))]
    lengths = {ENCODER: len(response.source_tokens), DECODER: len(response.target_tokens)}
    for one in (*response.maps, *response.averages):
        weights = rows_of(one)
        assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
        rows, columns = (ENCODER if one.kind == ENCODER else DECODER), (DECODER if one.kind == DECODER else ENCODER)
        assert weights.shape == (lengths[rows], lengths[columns])
        if one.kind == DECODER:
            assert not np.triu(weights, 1).any()
    for kind in kinds:
        heads = [[rows_of(one) for one in response.maps if (one.kind, one.layer) == (kind, layer)] for layer in (0, 1)]
        means = [rows_of(one) for one in response.averages if one.kind == kind]
        np.testing.assert_allclose(means, [*np.mean(heads, axis=1), np.mean(heads, axis=(0, 1))], atol=1e-6)
    for tokens, text in ((response.source_tokens, SOURCE), (response.target_tokens, best.text)):
        assert "".join(text[token.begin : token.end] for token in tokens) == text
    assert not response.encodings


async def test_less_is_returned_where_less_is_asked_for(serve: Serve) -> None:
    async with serve() as (_, channel):
        cross = await attend(channel, kinds=[CROSS, CROSS])
        one = await attend(channel, kinds=[CROSS, ENCODER], layer=1, head=2)
        layer = await attend(channel, kinds=[CROSS], layer=0)
    assert {kind for kind, *_ in places((*cross.maps, *cross.averages))} == {CROSS}
    assert len(cross.maps) == 8
    assert places(one.maps) == [(ENCODER, 1, 2), (CROSS, 1, 2)]
    assert places(one.averages) == [(kind, *mean) for kind in (ENCODER, CROSS) for mean in ((1, -1), (-1, -1))]
    assert list(one.maps[1:]) == [found for found in cross.maps if (found.layer, found.head) == (1, 2)]
    assert places(layer.maps) == [(CROSS, 0, head) for head in range(4)]


async def test_a_given_target_is_explained_as_it_is_spelled(serve: Serve) -> None:
    async with serve() as (_, channel):
        response = await attend(channel, source="big dog", target="hun   mak hun", kinds=[CROSS])
    assert (response.source, response.target) == ("big dog", "hun mak hun")
    words = [response.target[link.target_begin : link.target_end] for link in response.alignment]
    assert "".join(words) == "hunmakhun"


@pytest.mark.parametrize("model", ["exact", "small"])
async def test_encodings_are_alike_where_context_is(serve: Serve, model: str) -> None:
    async with serve() as (server, channel):
        chosen = pb.ModelSelection(model=model)
        first, same, other = [
            await attend(channel, model_selection=chosen, source=source, return_encodings=True, kinds=[CROSS])
            for source in ("cat dog bird", "cat dog bird", "bird red green")
        ]
        served = server.models.get(model, "")
        source_ids = np.array([served.source_ids("cat dog bird")])
        arrays = served.bundle.encoder.run(
            None, {"source_ids": source_ids, "source_lengths": np.array([source_ids.shape[1]])}
        )
    vectors = np.array([encoding.values for encoding in first.encodings])
    assert len(vectors) == len(first.source_tokens)
    flat = np.concatenate([array[0].transpose(1, 0, 2).reshape(len(vectors), -1) for array in arrays], axis=1)
    np.testing.assert_allclose(vectors, flat / (127 if model == "small" else 1), rtol=1e-6)
    assert list(first.encodings) == list(same.encodings)
    [bird, again] = [
        np.array(response.encodings[index].values)
        for response in (first, other)
        for index, token in enumerate(response.source_tokens)
        if response.source[token.begin : token.end].strip() == "bird"
    ]
    cosine = bird @ again / np.linalg.norm(bird) / np.linalg.norm(again)
    assert 0.3 < cosine < 0.9999


WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"kinds": [CROSS, 9]}, "kinds[1]", "9 is no kind of attention"),
    ({"kinds": [pb.ATTENTION_KIND_UNSPECIFIED]}, "kinds[0]", "0 is no kind"),
    ({"layer": 2}, "layer", "2 is out of range; limits 0 to 1"),
    ({"head": -1}, "head", "-1 is out of range; limits 0 to 3"),
    ({"source": " "}, "source", "0 tokens; limits 1 to 31"),
    ({"target": "hun " * 40}, "target", "40 tokens; limits 1 to 32"),
]
TOO_LARGE: list[tuple[dict[str, object], str, str]] = [
    ({}, "kinds", "bytes; limit 2000: ask for fewer of them, or for one layer or head"),
    ({"kinds": [CROSS], "layer": 0, "head": 0, "return_encodings": True}, "return_encodings", "bytes; limit 2000: ask"),
]


async def test_what_is_wrong_or_would_be_too_large_for_clients_is_named(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "MAX_RESPONSE_BYTES", 2000)
    async with serve() as (_, channel):
        for fields, field, told in (*WRONG, *TOO_LARGE):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await attend(channel, **fields)
            assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            [violation] = detail(raised.value, error_details_pb2.BadRequest).field_violations
            assert violation.field == field
            assert told in violation.description
        fits = await attend(channel, kinds=[CROSS], layer=0, head=0)
    assert fits.ByteSize() <= 2000


async def test_the_library_gives_arrays(serve: Serve) -> None:
    def use(address: str) -> tuple[Attention, Attention]:
        with Client(address, model="exact") as client:
            everything = client.attend(SOURCE, encodings=True)
            return everything, client.attend(SOURCE, everything.target, kinds=["cross"], layer=1)

    async with serve() as (server, channel):
        found, layer = await asyncio.to_thread(use, server.grpc_address)
        response = await attend(channel)
    lengths = len(found.target_tokens), len(found.source_tokens)
    assert found.maps["cross"].shape == (2, 4, *lengths)
    assert found.maps["encoder"].shape == (2, 4, lengths[1], lengths[1])
    assert found.encodings.shape[0] == lengths[1]
    assert [link.weight for link in found.alignment] == [link.weight for link in response.alignment]
    np.testing.assert_allclose(found.means["decoder"], found.maps["decoder"].mean(axis=(0, 1)), atol=1e-6)
    np.testing.assert_allclose(layer.maps["cross"], found.maps["cross"][1:], atol=1e-6)
    assert found.labels("cross")[1] == ["big", "dog", "sees", "▁", "%s", "cat", "</s>"]
    assert found.labels("decoder")[1][0] == "<s>"


async def test_the_command_line_draws(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    async with serve() as (server, _):

        async def run(*arguments: str) -> int:
            return await asyncio.to_thread(main, [*arguments, "--address", server.grpc_address, "--model", "exact"])

        assert await run("big dog", "--attention", "--layer", "1", "--head", "0") == 0
        drawn = capsys.readouterr().out
        assert await run("big dog", "--png", f"{tmp_path}/map.png", "--kind", "decoder", "--target", "hun") == 0
        assert await run("big dog", "--attention", "--head", "0") == 2
        assert await run("big dog", "--attention", "--layer", "7") == 2
        assert await run("big", "dog", "--png", f"{tmp_path}/two.png") == 2
        assert await run("--attention") == 2
        told = capsys.readouterr().err
    assert drawn.startswith("big dog\nhun mak\ncross-attention, layer 1, head 0, exact 1\n\n")
    assert "\n hun " in drawn
    assert "█" in drawn
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "--head needs --layer" in told
    assert "layer: 7 is out of range; limits 0 to 1" in told
