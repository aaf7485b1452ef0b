"""A checkpoint (or an ensemble of them) in, a bundle out: written beside its place, checked, and moved there whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from export import graph_files
from export.alignment.choice import compare
from export.alignment.held_out import of_checkpoint, of_files
from export.calibration import observe
from export.errors import ExportError
from export.exportable import Exportable
from export.families import take_apart, to_float16
from export.language_tags import language_pairs, with_prefixes, without_tags
from export.model_card import model_card
from export.parity import check_parity
from export.quantization import quantize
from export.trained import CheckpointEnsemble, Trained
from service.bundle.bundle import Bundle
from service.bundle.manifest import (
    MULTILINGUAL_SCHEMA_VERSION,
    SCHEMA_VERSION,
    Alignment,
    Files,
    Limits,
    Manifest,
    Precision,
    ProtectedSpans,
    VocabularySpec,
    describe_file,
)
from service.bundle.provenance import Parity, Training
from service.bundle.runtime import Runtime
from training.protected_spans import protect
from training.seq2seq import Seq2Seq
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID

NUM_RANDOM_SENTENCES = 32
MAX_PARITY_TOKENS = 64
UNCHECKED = Parity(
    num_sentences=0,
    identical_translations=0,
    num_beams=0,
    identical_beams=0,
    max_log_prob_difference=0.0,
    max_attention_difference=0.0,
    reference="none",
)


@dataclass(frozen=True)
class ExportOptions:
    """What to write."""

    precision: Precision = "float32"
    name: str | None = None
    """None: the recipe's name."""
    version: str = "1"
    licence: str = "unspecified"
    sentences: tuple[str, ...] = ()
    """Source sentences for calibration and parity check; none: those of the checkpoint."""
    scores: dict[str, Any] = field(default_factory=dict)
    """BLEU and chrF by test set, as `python -m training evaluate` prints them."""
    notes: str = ""
    """What the model card should say beside the facts."""
    alignment_pairs: tuple[str, ...] = ()
    """Files of held-out pairs to choose by whose attention aligns, see `export.alignment.held_out`; none: those of the
    checkpoint."""


def export(checkpoint: Trained, directory: Path, options: ExportOptions) -> Manifest:
    """Write the bundle of a checkpoint, or of several that translate together.

    Raises:
        ExportError: the directory exists.
        ParityError: ONNX Runtime computes something else than PyTorch; nothing is left behind.
    """
    return write_whole(directory, partial(_write, checkpoint, options))


def write_whole(directory: Path, write: Callable[[Path], Manifest]) -> Manifest:
    """Have a bundle written beside its place, and move it there whole.

    Raises:
        ExportError: the directory exists.
    """
    if directory.exists():
        raise ExportError(f"{directory} exists: remove it, or choose another directory")
    temporary = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        manifest = write(temporary)
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def _write(checkpoint: Trained, options: ExportOptions, directory: Path) -> Manifest:
    float_model = checkpoint.build_model()
    sources = _example_sources(checkpoint, options.sentences)
    model = _convert(float_model, options.precision, sources, checkpoint.recipe.data.max_target_tokens)
    exportable = take_apart(model, "float16" if options.precision == "float16" else "float32")
    graph_files.write_encoder(exportable, directory / "encoder.onnx")
    graph_files.write_decoder(exportable, directory / "decoder.onnx")
    graph_files.write_explain(exportable, directory / "explain.onnx")
    tags = checkpoint.recipe.tags.values()
    without_tags(checkpoint.source_vocabulary, tags).save(directory / "source.model")
    without_tags(checkpoint.target_vocabulary, tags).save(directory / "target.model")
    manifest = _describe(checkpoint, exportable, directory, options, UNCHECKED)
    manifest.save(directory)
    bundle = Bundle.load(directory, Runtime.start("cpu"))
    num_tokens = min(MAX_PARITY_TOKENS, manifest.limits.max_target_tokens)
    parity = check_parity(bundle, exportable, model, float_model, sources, num_tokens)
    manifest = _describe(checkpoint, exportable, directory, options, parity)
    manifest = msgspec.structs.replace(manifest, alignment=_alignment(bundle, checkpoint, options))
    manifest.save(directory)
    (directory / "MODEL_CARD.md").write_text(model_card(manifest, options.notes), encoding="utf-8")
    return manifest


def _alignment(bundle: Bundle, checkpoint: Trained, options: ExportOptions) -> Alignment | msgspec.UnsetType:
    files = options.alignment_pairs
    pairs = of_files(bundle, files) if files else of_checkpoint(bundle, checkpoint.held_out)
    comparison = compare(bundle, pairs)
    return msgspec.UNSET if comparison is None else comparison.chosen


def _convert(
    model: Seq2Seq[Any], precision: Precision, sources: Sequence[Sequence[int]], max_target_tokens: int
) -> Seq2Seq[Any]:
    if precision == "int8":
        return quantize(model, observe(model, sources, max_target_tokens))
    return to_float16(model) if precision == "float16" else model


def _describe(
    checkpoint: Trained, exportable: Exportable, directory: Path, options: ExportOptions, parity: Parity
) -> Manifest:
    recipe = checkpoint.recipe
    return Manifest(
        **_languages(checkpoint),
        name=options.name or recipe.name,
        version=options.version,
        architecture=exportable.architecture,
        precision=options.precision,
        files=Files(
            encoder=describe_file(directory / "encoder.onnx"),
            decoder=describe_file(directory / "decoder.onnx"),
            explain=describe_file(directory / "explain.onnx"),
            source_tokenizer=describe_file(directory / "source.model"),
            target_tokenizer=describe_file(directory / "target.model"),
        ),
        limits=Limits(max_source_tokens=recipe.data.max_source_tokens, max_target_tokens=recipe.data.max_target_tokens),
        vocabulary=vocabulary_spec(len(checkpoint.source_vocabulary), len(checkpoint.target_vocabulary)),
        state=exportable.state,
        protected_spans=ProtectedSpans(
            symbols=recipe.protected_spans.symbols,
            patterns=recipe.protected_spans.patterns if recipe.protected_spans.num_symbols else (),
        ),
        parity=parity,
        training=describe_training(_describe_recipe(checkpoint), checkpoint.progress, options),
        licence=options.licence,
    )


def vocabulary_spec(source_size: int, target_size: int) -> VocabularySpec:
    """Sizes, and the ids that are special in all of training's vocabularies."""
    return VocabularySpec(
        source_size=source_size,
        target_size=target_size,
        begin_id=BEGIN_ID,
        end_id=END_ID,
        pad_id=PAD_ID,
        unknown_id=UNKNOWN_ID,
    )


def describe_training(recipe: dict[str, Any], progress: dict[str, Any], options: ExportOptions) -> Training:
    """What a checkpoint says of its run."""
    provenance = progress.get("provenance", {})
    return Training(
        recipe=recipe,
        data=provenance.get("data", "unknown"),
        data_sha256=provenance.get("data_sha256", "unknown"),
        commit=provenance.get("commit", "unknown"),
        initialized_from=provenance.get("initialized_from", ""),
        steps=progress["step"],
        target_tokens=progress["target_tokens"],
        hours=round(progress["seconds"] / 3600, 2),
        scores=options.scores,
    )


def _describe_recipe(checkpoint: Trained) -> dict[str, Any]:
    recipe = checkpoint.recipe.to_dict()
    return recipe | {"members": checkpoint.describe()} if isinstance(checkpoint, CheckpointEnsemble) else recipe


def _languages(checkpoint: Trained) -> dict[str, Any]:
    """What the manifest says of languages, in the oldest schema that can say it."""
    pairs = language_pairs(checkpoint.recipe, checkpoint.source_vocabulary)
    if len(pairs) > 1 or pairs[0].source_prefix_ids:
        return {"schema_version": MULTILINGUAL_SCHEMA_VERSION, "language_pairs": pairs}
    return {
        "schema_version": SCHEMA_VERSION,
        "source_language": pairs[0].source_language,
        "target_language": pairs[0].target_language,
    }


def _example_sources(checkpoint: Trained, sentences: Sequence[str]) -> list[list[int]]:
    """What calibration and parity check read: the sentences given, the checkpoint's, or random tokens."""
    longest = checkpoint.recipe.data.max_source_tokens - 1
    if sentences:
        protected = [protect(text, checkpoint.recipe.protected_spans).text for text in sentences]
        encoded = [ids for ids in checkpoint.source_vocabulary.encode(protected) if ids]
        read = with_prefixes(encoded, language_pairs(checkpoint.recipe, checkpoint.source_vocabulary))
        return [[*ids[:longest], END_ID] for ids in read]
    if checkpoint.examples:
        return checkpoint.examples
    generator = np.random.default_rng(0)
    size = len(checkpoint.source_vocabulary)
    lengths = generator.integers(1, min(longest, 40) + 1, NUM_RANDOM_SENTENCES)
    return [[*map(int, generator.integers(END_ID + 1, size, length)), END_ID] for length in lengths]


def read_scores(path: Path) -> dict[str, Any]:
    """Scores by test set from a JSON file.

    Raises:
        ExportError: it is not a JSON object.
    """
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"--scores {path}: {error}") from None
    if not isinstance(scores, dict):
        raise ExportError(f"--scores {path}: expected an object of scores by test set")
    return scores
