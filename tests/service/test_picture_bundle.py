"""Manifests and graphs of models that read pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.bundle.bundle import Bundle
from service.bundle.manifest import IMAGE_SCHEMA_VERSION, load_manifest, parse_manifest
from service.bundle.runtime import Runtime
from service.errors import BundleError
from tests.conftest import Captioner
from tests.pictures import NAME, NUM_CELLS, TAGS
from tests.service.bundles import change, exchange


@pytest.fixture
def bundle(captioner: Captioner, tmp_path: Path) -> Path:
    return shutil.copytree(captioner.models / NAME, tmp_path / NAME)


def test_a_manifest_says_what_is_read_and_written(bundle: Path) -> None:
    manifest = load_manifest(bundle)
    assert manifest.schema_version == IMAGE_SCHEMA_VERSION
    assert manifest.reads_images
    assert list(manifest.caption_tags) == list(TAGS)
    assert [pair.name for pair in manifest.pairs] == ["picture → en", "picture → ko"]
    assert [file.name for file in manifest.files.all()] == [
        "encoder.onnx", "decoder.onnx", "explain.onnx", "target.model",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("image", None, "Expected `object`"),
        ("image.grid", [2, 4], "max_source_tokens must be the 8 cells of image.grid"),
        ("image.grid", [17, 1], "more cells than the picture has pixels"),
        ("image.height", 0, ">= 1"),
        ("image.width", 10**6, "<= 4096"),
        ("image.std", [1, 0, 1], ">= 1e-06"),
        ("image.mean", [1, 0], "length 3"),
        ("caption_languages", {}, "caption_languages: at least one"),
        ("caption_languages", {"en": 4, "ko": 4}, "each with a tag of its own"),
        ("caption_languages", {"en": 10**6}, "in the target vocabulary"),
        ("caption_languages", {"e n": 4}, "caption_languages"),
        ("limits.max_target_tokens", 1, "must hold the tag"),
        ("limits.max_source_tokens", NUM_CELLS + 1, "must be the 6 cells"),
        ("vocabulary.source_size", 5, "source_size must be 0"),
        ("source_language", "en", "caption_languages in place of other languages"),
        ("language_pairs", [{"source_language": "en", "target_language": "ko"}], "in place of other languages"),
        ("files.source_tokenizer", {"name": "a", "sha256": "0" * 64, "num_bytes": 1}, "source_tokenizer must be there"),
    ],
)
def test_what_does_not_fit_together_is_told(bundle: Path, place: str, value: object, message: str) -> None:
    content: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
    *sections, key = place.split(".")
    section = content
    for name in sections:
        section = section[name]
    section[key] = value
    with pytest.raises(BundleError, match=message):
        parse_manifest(json.dumps(content).encode(), bundle)


@pytest.mark.parametrize("missing", ["image", "caption_languages"])
def test_one_half_of_what_is_said_of_pictures_is_refused(bundle: Path, missing: str) -> None:
    content = json.loads((bundle / "manifest.json").read_bytes())
    del content[missing]
    with pytest.raises(BundleError, match="image and caption_languages: one is of no use without the other"):
        parse_manifest(json.dumps(content).encode(), bundle)


def test_a_model_of_text_needs_its_tokenizer(models: Path) -> None:
    content = json.loads((models / "exact" / "manifest.json").read_bytes())
    del content["files"]["source_tokenizer"]
    with pytest.raises(BundleError, match="source_tokenizer must be there, unless the model reads pictures"):
        parse_manifest(json.dumps(content).encode(), models)


@pytest.mark.parametrize("graph", ["encoder", "explain"])
def test_graphs_that_read_something_else_are_refused(bundle: Path, models: Path, graph: str) -> None:
    other = {"encoder": models / "exact" / "encoder.onnx", "explain": bundle / "encoder.onnx"}[graph]
    exchange(bundle, f"{graph}.onnx", other.read_bytes())
    with pytest.raises(BundleError, match=f"{graph} (inputs|outputs) do not match the manifest"):
        Bundle.load(bundle, Runtime.start("cpu"))


def test_graphs_for_pictures_of_another_size_are_refused(bundle: Path) -> None:
    image = json.loads((bundle / "manifest.json").read_bytes())["image"]
    change(bundle, image=image | {"height": 32})
    with pytest.raises(BundleError, match=r"encoder pixels \(3, 32, 24\) do not match the manifest \(\(3, 16, 24\)\)"):
        Bundle.load(bundle, Runtime.start("cpu"))
