"""A captioner's checkpoint in, a bundle out that reads pictures."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

from export import graph_files
from export.caption_parity import check_caption_parity, samples
from export.captioner import take_apart_captioner, write_picture_encoder, write_picture_explain
from export.errors import ExportError
from export.exportable import Exportable
from export.language_tags import without_tags
from export.model_card import model_card
from export.stored_halves import fold_normalization, rounded_to_halves, store_in_halves
from export.writer import UNCHECKED, ExportOptions, describe_training, vocabulary_spec, write_whole
from service.bundle.bundle import Bundle
from service.bundle.image_input import ImageInput
from service.bundle.manifest import (
    IMAGE_SCHEMA_VERSION,
    Files,
    Limits,
    Manifest,
    describe_file,
)
from service.bundle.provenance import Parity
from service.bundle.runtime import Runtime
from training.captioning.checkpoint import CaptionCheckpoint
from training.captioning.efficientnet import MEAN, STD

GRAPHS = ("encoder.onnx", "decoder.onnx", "explain.onnx")


def export_captions(checkpoint: CaptionCheckpoint, directory: Path, options: ExportOptions) -> Manifest:
    """Write the bundle of a captioner.

    In float16 the weights are stored in two bytes; arithmetic is float32 in either precision.

    Raises:
        ExportError: the directory exists, or the precision is int8.
        ParityError: ONNX Runtime computes something else than PyTorch; nothing is left behind.
    """
    if options.precision == "int8":
        raise ExportError("captions are exported in float32 or float16: convolutions have no int8 here")
    if options.sentences:
        raise ExportError("--sentences: captions are checked with the pictures of the checkpoint")
    return write_whole(directory, partial(_write, checkpoint, options))


def _write(checkpoint: CaptionCheckpoint, options: ExportOptions, directory: Path) -> Manifest:
    trained = checkpoint.build_model()
    model = copy.deepcopy(trained)
    fold_normalization(model)
    if options.precision == "float16":
        rounded_to_halves(model)
    exportable = take_apart_captioner(model)
    picture = checkpoint.recipe.picture
    write_picture_encoder(exportable, picture.height, picture.width, directory / "encoder.onnx")
    graph_files.write_decoder(exportable, directory / "decoder.onnx")
    write_picture_explain(exportable, picture.height, picture.width, directory / "explain.onnx")
    if options.precision == "float16":
        for name in GRAPHS:
            store_in_halves(directory / name)
    without_tags(checkpoint.vocabulary, checkpoint.recipe.tags.values()).save(directory / "target.model")
    _describe(checkpoint, exportable, directory, options, UNCHECKED).save(directory)
    bundle = Bundle.load(directory, Runtime.start("cpu"))
    found = samples(model, checkpoint.examples, list(checkpoint.tag_ids.values()))
    parity = check_caption_parity(bundle, model, trained, found)
    manifest = _describe(checkpoint, exportable, directory, options, parity)
    manifest.save(directory)
    (directory / "MODEL_CARD.md").write_text(model_card(manifest, options.notes), encoding="utf-8")
    return manifest


def _describe(
    checkpoint: CaptionCheckpoint, exportable: Exportable, directory: Path, options: ExportOptions, parity: Parity
) -> Manifest:
    recipe = checkpoint.recipe
    picture = recipe.picture
    encoder, decoder, explain = (describe_file(directory / name) for name in GRAPHS)
    return Manifest(
        schema_version=IMAGE_SCHEMA_VERSION,
        name=options.name or recipe.name,
        version=options.version,
        architecture=exportable.architecture,
        precision=options.precision,
        image=ImageInput(
            height=picture.height,
            width=picture.width,
            mean=(MEAN, MEAN, MEAN),
            std=(STD, STD, STD),
            grid=picture.grid,
        ),
        caption_languages=checkpoint.tag_ids,
        files=Files(
            encoder=encoder,
            decoder=decoder,
            explain=explain,
            target_tokenizer=describe_file(directory / "target.model"),
        ),
        # The tag is a token of the target.
        limits=Limits(max_source_tokens=picture.num_cells, max_target_tokens=recipe.max_caption_tokens + 1),
        vocabulary=vocabulary_spec(0, len(checkpoint.vocabulary)),
        state=exportable.state,
        parity=parity,
        training=describe_training(recipe.to_dict(), checkpoint.progress, options),
        licence=options.licence,
    )
