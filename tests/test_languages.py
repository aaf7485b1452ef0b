"""Two language pairs in one model: trained, exported, served over real gRPC."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

import grpc
import pytest

from export.__main__ import main as export_main
from export.alignment.held_out import of_checkpoint, of_files
from export.errors import ExportError
from service.bundle.bundle import Bundle
from service.bundle.manifest import Alignment, load_manifest
from service.bundle.runtime import Runtime
from service.bundle.tokenizer import Tokenizer
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests import multilingual
from tests.conftest import Serve
from training.__main__ import main as training_main
from training.checkpoint import Checkpoint

LANGUAGES = ("xx", "yy")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of both pairs, prepared and learned through the command line; the directory of checkpoints."""
    directory = tmp_path_factory.mktemp("languages")
    recipe, data, output = (str(directory / name) for name in ("recipe.yaml", "data", "run"))
    Path(recipe).write_text(multilingual.RECIPE)
    inputs = []
    for language in LANGUAGES:
        multilingual.write_tsv(directory / f"{language}.tsv", language, number=3000)
        inputs += ["--input", f"en-{language}:{directory / language}.tsv"]
    assert training_main(["prepare", recipe, *inputs, "--output", data]) == 0
    assert training_main(["vocabulary", recipe, "--data", data]) == 0
    assert training_main(["train", recipe, "--data", data, "--output", output, "--device", "cpu"]) == 0
    return Path(output)


@pytest.fixture(scope="module")
def models(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `serve` serves here."""
    directory = tmp_path_factory.mktemp("models")
    assert export_main([str(run / "averaged.pt"), str(directory / "both")]) == 0
    return directory


def to(language: str) -> pb.ModelSelection:
    return pb.ModelSelection(target_language_code=language)


async def test_both_pairs_are_answered_rightly_in_one_batch(serve: Serve) -> None:
    sources = multilingual.sentences(40, seed=9)
    asked = [(source, language) for source in sources for language in LANGUAGES]
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        requests = [pb.TranslateRequest(texts=[source], model_selection=to(language)) for source, language in asked]
        responses = await asyncio.gather(*(stub.Translate(request) for request in requests))
        alone = [await stub.Translate(request) for request in requests[:10]]
    found = [response.results[0].hypotheses[0].text for response in responses]
    expected = [multilingual.translate(*one) for one in asked]
    for language in LANGUAGES:
        is_right = [a == b for a, b, (_, target) in zip(found, expected, asked, strict=True) if target == language]
        assert sum(is_right) >= 0.85 * len(sources)
    assert [response.results[0].hypotheses[0].text for response in alone] == found[:10]


async def test_pairs_are_listed(serve: Serve) -> None:
    async with serve() as (server, channel):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        [model] = (await stub.ListModels(model_service_pb2.ListModelsRequest())).models
        listed = await asyncio.to_thread(
            lambda: json.load(urllib.request.urlopen(f"http://{server.http_address}/languages"))
        )
    targets = {one["code"]: one["targets"] for one in listed}
    assert targets == {"en": ["en", "xx", "yy"], "xx": ["xx"], "yy": ["yy"]}  # each into itself, too
    pairs = [(pair.source_language_code, pair.target_language_code) for pair in model.language_pairs]
    assert pairs == [("en", "xx"), ("en", "yy")]


@pytest.mark.parametrize(
    ("selection", "code", "message"),
    [
        (pb.ModelSelection(), grpc.StatusCode.INVALID_ARGUMENT, "target_language_code: .*en → xx, en → yy"),
        (pb.ModelSelection(source_language_code="en"), grpc.StatusCode.INVALID_ARGUMENT, "en → xx, en → yy"),
        (to("de"), grpc.StatusCode.NOT_FOUND, "target_language_code: no model translates to 'de'; known: xx, yy"),
        (pb.ModelSelection(source_language_code="xx"), grpc.StatusCode.NOT_FOUND, "known: en"),
    ],
)
async def test_languages_must_name_one_pair(
    serve: Serve, selection: pb.ModelSelection, code: grpc.StatusCode, message: str
) -> None:
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError, match=message) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(
                pb.TranslateRequest(texts=["cat"], model_selection=selection)
            )
    assert raised.value.code() == code


async def test_the_tag_has_no_place_in_the_text(serve: Serve) -> None:
    text = "red cat.\n\n  big dog"
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        wanted = pb.ReturnOptions(alignment=True)
        request = pb.TranslateRequest(texts=[text], model_selection=to("yy"), return_options=wanted)
        [result] = (await stub.Translate(request)).results
        attended = await stub.Attend(pb.AttendRequest(source="red cat", model_selection=to("yy")))
    hypothesis = result.hypotheses[0]
    linked = {
        (text[link.source_begin : link.source_end], hypothesis.text[link.target_begin : link.target_end])
        for link in hypothesis.alignment
    }
    assert all(link.source_end > link.source_begin for link in hypothesis.alignment)
    assert linked
    tag = [token for token in attended.source_tokens if token.piece == "⟦yy⟧"]
    assert [(token.begin, token.end) for token in tag] == [(0, 0)]
    assert all(one.columns == len(attended.source_tokens) for one in attended.maps if one.kind == 3)


async def test_who_writes_a_tag_means_its_characters(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        request = pb.AttendRequest(source="⟦xx⟧ cat", target="kota", model_selection=to("yy"))
        attended = await stub.Attend(request)
    pieces = [token.piece for token in attended.source_tokens]
    assert pieces == ["▁", "⟦yy⟧", "▁", "<unk>", "▁cat", "</s>"]


def test_the_service_reads_what_training_read(run: Path, models: Path) -> None:
    vocabulary = Checkpoint.load(run / "averaged.pt").source_vocabulary
    manifest = load_manifest(models / "both")
    tokenizer = Tokenizer((models / "both" / "source.model").read_bytes(), "source.model")
    assert manifest.schema_version == 3
    for pair in manifest.pairs:
        for text in multilingual.sentences(20, seed=3):
            [trained] = vocabulary.encode([f"⟦{pair.target_language}⟧ {text}"])
            assert [*pair.source_prefix_ids, *tokenizer.encode(text)] == trained


def test_evaluation_needs_to_know_the_languages(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = run.parent / "yy.tsv"
    arguments = ["evaluate", str(run / "averaged.pt"), "--data", str(data), "--limit", "30"]
    assert training_main(arguments) == 2
    assert "give --languages, one of en-xx, en-yy" in capsys.readouterr().err
    assert training_main([*arguments, "--languages", "en-de"]) == 2
    assert "no pair of the recipe" in capsys.readouterr().err
    assert training_main([*arguments, "--languages", "en-xx"]) == 0
    wrong = capsys.readouterr().out
    assert training_main([*arguments, "--languages", "en-yy"]) == 0
    right = capsys.readouterr().out
    assert _bleu(right) > 85 > 5 > _bleu(wrong)
    prepared = run.parent / "data" / "development.en-yy.tsv"  # has its tags
    assert training_main(["evaluate", str(run / "averaged.pt"), "--data", str(prepared)]) == 0
    assert _bleu(capsys.readouterr().out) > 85


def _bleu(output: str) -> float:
    bleu: float = json.loads(output)["bleu"]
    return bleu


def test_held_out_pairs_know_their_languages(run: Path, models: Path) -> None:
    bundle = Bundle.load(models / "both", Runtime.start("cpu"))
    assert isinstance(bundle.manifest.alignment, Alignment)
    prefixes = [pair.source_prefix_ids for pair in bundle.manifest.pairs]
    directory = run.parent
    tagged = of_files(bundle, [str(directory / "data/development.tsv")])
    assert {pair.prefix_ids for pair in tagged} == set(prefixes)
    assert set(tagged) == set(of_checkpoint(bundle, Checkpoint.load(run / "averaged.pt").held_out))
    untagged = of_files(bundle, [f"en-yy:{directory / 'yy.tsv'}"])
    assert {pair.prefix_ids for pair in untagged} == {prefixes[1]}
    assert {pair for pair in tagged if pair.prefix_ids == prefixes[1]} <= set(untagged)
    assert set(of_files(bundle, [f"en-yy:{directory / 'data/development.en-yy.tsv'}"])) <= set(tagged)
    with pytest.raises(ExportError, match="needs the languages: en-de:FILE"):
        of_files(bundle, [str(directory / "yy.tsv")])
