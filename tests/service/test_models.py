"""Which model and which of its language pairs a request means; what a manifest says of languages."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from service.api.models import Models
from service.bundle.manifest import LanguagePair, parse_manifest
from service.errors import BundleError, InvalidRequestError, ModelNotFoundError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

BUNDLED = Path(__file__).parents[2] / "models" / "en-ko-software"


def served(name: str, *pairs: str) -> Any:
    """What `Models` needs of a served model."""
    known = tuple(LanguagePair(source_language=a, target_language=b) for a, b in (pair.split(">") for pair in pairs))
    reads_images = not known[0].source_language
    model = SimpleNamespace(manifest=SimpleNamespace(name=name, pairs=known, reads_images=reads_images))
    model.translating = lambda pair: (name, f"{pair.source_language}>{pair.target_language}")
    return model


MODELS = Models([served("b", "en>pt", "en>pt-BR", "de>en", "fr>en"), served("a", "en>ko")])


@pytest.mark.parametrize(
    ("model", "source", "target", "expected"),
    [
        ("", "", "", ("a", "en>ko")),
        ("", "en-US", "ko-KR", ("a", "en>ko")),
        ("", "", "pt-BR", ("b", "en>pt-BR")),
        ("", "en", "PT", ("b", "en>pt")),
        ("b", "de", "", ("b", "de>en")),
        ("b", "fr-CA", "en", ("b", "fr>en")),
    ],
)
def test_the_codes_pick_model_and_pair(model: str, source: str, target: str, expected: tuple[str, str]) -> None:
    selection = pb.ModelSelection(model=model, source_language_code=source, target_language_code=target)
    assert MODELS.select(selection) == expected


@pytest.mark.parametrize(
    ("selection", "field", "known"),
    [
        (pb.ModelSelection(model="b"), "target", "en → pt, en → pt-BR, de → en, fr → en"),
        (pb.ModelSelection(model="b", target_language_code="en"), "source", "de → en, fr → en"),
        (pb.ModelSelection(source_language_code="en", target_language_code="pt-PT-x"), "", ""),
    ],
)
def test_several_pairs_are_listed(selection: pb.ModelSelection, field: str, known: str) -> None:
    if not field:  # only Portuguese in general serves that of Portugal
        assert MODELS.select(selection) == ("b", "en>pt")
        return
    with pytest.raises(InvalidRequestError, match=known) as raised:
        MODELS.select(selection)
    assert [violation.field for violation in raised.value.violations] == [f"model_selection.{field}_language_code"]


def test_pictures_are_described_by_models_for_pictures_in_the_language_asked_for() -> None:
    models = Models([served("b", ">en", ">ko", ">pt", ">pt-BR"), served("a", "en>ko"), served("c", ">fr")])
    for asked, expected in (("", "en"), ("ko-KR", "ko"), ("pt-br", "pt-BR"), ("pt-PT", "pt")):
        selection = pb.ModelSelection(target_language_code=asked)
        assert models.select_captioner(selection) == ("b", f">{expected}")
    assert models.select_captioner(pb.ModelSelection(model="c")) == ("c", ">fr")
    assert models.select(pb.ModelSelection()) == ("a", "en>ko")
    with pytest.raises(ModelNotFoundError, match="no model writes captions in 'en'; known: fr"):
        models.select_captioner(pb.ModelSelection(model="c", target_language_code="en"))
    with pytest.raises(InvalidRequestError, match="a translates text, by TranslationService"):
        models.select_captioner(pb.ModelSelection(model="a"))
    with pytest.raises(InvalidRequestError, match="b describes pictures, by CaptionService"):
        models.select(pb.ModelSelection(model="b"))
    with pytest.raises(ModelNotFoundError, match="no model here describes pictures, by CaptionService; served: a, b"):
        MODELS.select_captioner(pb.ModelSelection())


def test_a_pair_that_no_model_has_is_not_found() -> None:
    with pytest.raises(ModelNotFoundError, match="no model translates to 'ko'; known: en"):
        MODELS.select(pb.ModelSelection(source_language_code="de", target_language_code="ko"))


def test_a_manifest_of_one_pair_is_read_and_written_as_it_always_was() -> None:
    content = (BUNDLED / "manifest.json").read_bytes()
    manifest = parse_manifest(content, BUNDLED)
    assert manifest.pairs == (LanguagePair(source_language="en", target_language="ko"),)
    written, known = json.loads(msgspec.json.encode(manifest)), json.loads(content)
    assert {key: written.get(key) for key in known} == known
    assert "language_pairs" not in written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "either source_language and target_language or language_pairs"),
        ({"source_language": "en"}, "either source_language and target_language or language_pairs"),
        ({"language_pairs": []}, "language_pairs"),
        ({"language_pairs": [{"source_language": "en", "target_language": "de"}] * 2}, "must be unique"),
        (
            {"language_pairs": [{"source_language": "en", "target_language": "de", "source_prefix_ids": [10**6]}]},
            "must be ids of the source vocabulary",
        ),
    ],
)
def test_wrong_languages_of_a_manifest_are_told(change: dict[str, object], message: str) -> None:
    content = json.loads((BUNDLED / "manifest.json").read_bytes())
    del content["source_language"], content["target_language"]
    with pytest.raises(BundleError, match=message):
        parse_manifest(json.dumps(content | change).encode(), BUNDLED)
