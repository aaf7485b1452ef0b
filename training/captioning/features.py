"""What the frozen encoder sees in every view, computed once and kept on the disk.

N views, S cells, C channels.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from training.atomic import partial_of
from training.captioning.efficientnet import EfficientNetLite
from training.captioning.examples import FILE_NAME, Example, views
from training.captioning.pictures import normalised, to_pixels
from training.captioning.settings import CaptionRecipe
from training.errors import TrainingError

BATCH_SIZE = 16


def features_path(directory: Path, recipe: CaptionRecipe, weights: dict[str, Tensor]) -> Path:
    """Where the features lie: the name is a hash of all that they depend on."""
    digest = hashlib.sha256((directory / FILE_NAME).read_bytes())
    digest.update(repr((recipe.seed, recipe.picture, recipe.encoder)).encode())
    for name in sorted(weights):
        digest.update(weights[name].numpy().tobytes())
    return directory / f"features-{digest.hexdigest()[:16]}.f16"


def write_features(
    examples: Sequence[Example], recipe: CaptionRecipe, encoder: EfficientNetLite, path: Path, root: Path | None
) -> None:
    """Encode all views, (N, S, C) in float16; goes on where a killed run stopped.

    Args:
        examples: in the order of their views.
        recipe: sizes and seeds.
        encoder: in evaluation mode.
        path: to write.
        root: the folder of stamps, if there are any.
    """
    if path.exists():
        return
    partial = partial_of(path)
    row_bytes = recipe.picture.num_cells * encoder.channels * 2
    num_done = partial.stat().st_size // row_bytes if partial.exists() else 0
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
    num_views = sum(example.num_views for example in examples)
    with partial.open("ab") as file, tqdm(total=num_views, initial=num_done, unit="picture", mininterval=5.0) as bar:
        file.truncate(num_done * row_bytes)
        for pictures in _batches(_views_from(examples, recipe, root, num_done)):
            sizes = recipe.picture.height, recipe.picture.width
            pixels = np.stack([to_pixels(picture, *sizes) for picture in pictures])
            with torch.inference_mode():
                features = encoder(normalised(pixels).contiguous(memory_format=torch.channels_last))
            file.write(features.numpy().astype(np.float16).tobytes())
            bar.update(len(pictures))
    partial.replace(path)


def map_features(path: Path, recipe: CaptionRecipe, channels: int) -> NDArray[np.float16]:
    """(N, S, C); read from the disk where it is looked at.

    Raises:
        TrainingError: the file is missing.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing: run `python -m training caption-prepare` with this recipe first")
    rows: NDArray[Any] = np.memmap(path, np.float16, mode="r")
    return rows.reshape(-1, recipe.picture.num_cells, channels)


def _views_from(
    examples: Sequence[Example], recipe: CaptionRecipe, root: Path | None, first: int
) -> Iterator[Image.Image]:
    for example in examples:
        if example.first_view + example.num_views <= first:
            continue
        skipped = max(0, first - example.first_view)
        yield from itertools.islice(views(example, recipe, root), skipped, None)


def _batches(pictures: Iterator[Image.Image]) -> Iterator[list[Image.Image]]:
    while batch := list(itertools.islice(pictures, BATCH_SIZE)):
        yield batch
