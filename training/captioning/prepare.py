"""python -m training caption-prepare: pictures gathered and rendered, a vocabulary learned, features computed."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.captioning.efficientnet import EfficientNetLite, read_weights
from training.captioning.examples import FILE_NAME, Example, scene_examples, stamp_examples, views, write_examples
from training.captioning.features import features_path, map_features, write_features
from training.captioning.pictures import to_pixels
from training.captioning.settings import CaptionRecipe
from training.captioning.stamps import FOLDER, PACKAGE, download_stamps
from training.errors import TrainingError
from training.provenance import sha256_of
from training.vocabulary import Vocabulary

VOCABULARY_NAME = "target.model"
PROVENANCE_NAME = "provenance.json"
ENCODER_NAME = "encoder.pt"
NUM_EXAMPLE_PICTURES = 32


def prepare(recipe: CaptionRecipe, directory: Path, cache: Path, stamps: Path | None, weights_path: Path) -> str:
    """Write examples, vocabulary and features; what is there already and fits stays.

    Args:
        recipe: what to prepare.
        directory: of the results.
        cache: of downloads.
        stamps: an unpacked folder of stamps; None: download them, if the recipe wants any.
        weights_path: of the encoder.

    Returns:
        What was found, for people.
    """
    weights = read_weights(weights_path)
    directory.mkdir(parents=True, exist_ok=True)
    source = "no stamps"
    if recipe.stamps.num_views and stamps is None:
        package = download_stamps(cache)
        stamps = package.directory / FOLDER
        source = f"{PACKAGE} {package.version} (GPL-2, SHA-256 {package.sha256})"
    elif stamps is not None and recipe.stamps.num_views:
        source = f"{PACKAGE} (GPL-2), unpacked"
    examples = _examples(recipe, stamps if recipe.stamps.num_views else None)
    write_examples(examples, directory)
    origins = {"stamps": source, "encoder": f"{weights_path.name} (SHA-256 {sha256_of(weights_path)})"}
    (directory / PROVENANCE_NAME).write_text(json.dumps(origins, indent=2) + "\n", encoding="utf-8")
    learn_vocabulary(recipe, examples).save(directory / VOCABULARY_NAME)
    encoder = load_encoder(recipe, weights)
    torch.save(weights, directory / ENCODER_NAME)
    write_features(examples, recipe, encoder, features_path(directory, recipe, weights), stamps)
    return _told(examples)


@dataclass(frozen=True)
class Prepared:
    """What training reads beside the examples."""

    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    """Of the encoder."""
    features: NDArray[np.float16]
    """(N, S, C) of all views."""


def read_prepared(recipe: CaptionRecipe, directory: Path) -> Prepared:
    """What `prepare` left in a directory.

    Raises:
        TrainingError: it is missing, or was prepared with other settings.
    """
    vocabulary = Vocabulary.load(directory / VOCABULARY_NAME)
    weights: dict[str, Tensor] = torch.load(directory / ENCODER_NAME, weights_only=True)
    path = features_path(directory, recipe, weights)
    return Prepared(vocabulary, weights, map_features(path, recipe, recipe.encoder.head_channels))


def load_encoder(recipe: CaptionRecipe, weights: dict[str, Tensor]) -> EfficientNetLite:
    """In evaluation mode.

    Raises:
        TrainingError: the weights are of another network than the recipe's.
    """
    encoder = EfficientNetLite(recipe.encoder)
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(f"the weights do not fit the recipe's encoder: {error}") from None
    return encoder.eval()


def learn_vocabulary(recipe: CaptionRecipe, examples: Sequence[Example]) -> Vocabulary:
    """SentencePiece over the training captions of all languages, with the tags as symbols."""
    return Vocabulary.train(_sentences(examples), recipe.vocabulary, recipe.seed, list(recipe.tags.values()))


def _sentences(examples: Sequence[Example]) -> Iterator[str]:
    train = (example for example in examples if example.split == "train")
    return (caption.text for example in train for captions in example.captions.values() for caption in captions)


def example_pictures(recipe: CaptionRecipe, examples: Sequence[Example]) -> Tensor:
    """Development scenes, (N, H, W, 3) uint8; they are drawn anew, so that no picture of others is in a checkpoint."""
    scenes = (example for example in examples if example.kind == "scene" and example.split == "development")
    pictures = (next(views(example, recipe, None)) for example in itertools.islice(scenes, NUM_EXAMPLE_PICTURES))
    pixels = [torch.from_numpy(to_pixels(one, recipe.picture.height, recipe.picture.width)) for one in pictures]
    if not pixels:
        raise TrainingError("scenes.num_development: export checks with these pictures, there must be one")
    return torch.stack(pixels)


def describe_data(directory: Path, examples: Sequence[Example]) -> dict[str, str]:
    """What a model card says of the training data and of the encoder's weights."""
    counts = Counter(example.kind for example in examples if example.split == "train")
    origins = json.loads((directory / PROVENANCE_NAME).read_text(encoding="utf-8"))
    scenes = f"{counts['scene']} scenes of the project's own making"
    return {
        "data": scenes + (f" and {counts['stamp']} stamps of {origins['stamps']}" if counts["stamp"] else ""),
        "data_sha256": sha256_of(directory / FILE_NAME),
        "initialized_from": f"{origins['encoder']} for the encoder, where they stay as they are",
    }


def _examples(recipe: CaptionRecipe, stamps: Path | None) -> list[Example]:
    found = list(stamp_examples(recipe, stamps, 0)) if stamps else []
    first = found[-1].first_view + found[-1].num_views if found else 0
    return [*found, *scene_examples(recipe, first)]


def _told(examples: Sequence[Example]) -> str:
    counts = Counter((example.kind, example.split) for example in examples)
    return "\n".join(f"{kind}s, {split}: {number}" for (kind, split), number in sorted(counts.items()))
