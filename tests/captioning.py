"""A small captioner and what it needs: a recipe, stamps, and random weights under the names of the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.__main__ import main
from training.captioning.efficientnet import EfficientNetLite, EfficientNetSettings
from training.captioning.settings import CaptionRecipe, load_caption_recipe

RECIPE = """
name: tiny-captions
seed: 3
picture: {height: 64, width: 96}
stamps: {num_views: 2, repeats: 2}
scenes: {num_train: 48, num_development: 8, num_test: 6}
vocabulary: {size: 170, kind: bpe, character_coverage: 1.0, byte_fallback: false}
encoder:
  stem_channels: 8
  stages:
  - {num_blocks: 1, kernel: 3, stride: 2, expansion: 1, channels: 8}
  - {num_blocks: 2, kernel: 5, stride: 2, expansion: 2, channels: 12}
  - {num_blocks: 1, kernel: 3, stride: 2, expansion: 2, channels: 16}
  - {num_blocks: 1, kernel: 3, stride: 2, expansion: 2, channels: 16}
  head_channels: 24
decoder: {cell: lstm, embedding_size: 24, hidden_size: 32, readout_size: 24, tie_embeddings: true, dropout: 0.1}
attention: {doubly_stochastic: 0.1, guidance: 0.3}
batch_captions: 16
max_caption_tokens: 30
trainer:
  max_steps: 24
  warmup_steps: 2
  learning_rate: 5.0e-3
  log_every_steps: 6
  validate_every_steps: 12
  save_every_steps: 12
  keep_checkpoints: 2
"""
GRID = (2, 3)
_PUBLISHED = {
    "expand.convolution": "_expand_conv",
    "expand.norm": "_bn0",
    "depthwise.convolution": "_depthwise_conv",
    "depthwise.norm": "_bn1",
    "project.convolution": "_project_conv",
    "project.norm": "_bn2",
    "stem.convolution": "_conv_stem",
    "stem.norm": "_bn0",
    "head.convolution": "_conv_head",
    "head.norm": "_bn1",
}


def recipe(directory: Path, *overrides: str) -> CaptionRecipe:
    """Written to recipe.yaml there."""
    path = directory / "recipe.yaml"
    path.write_text(RECIPE)
    return load_caption_recipe(str(path), overrides)


def published_weights(settings: EfficientNetSettings) -> dict[str, torch.Tensor]:
    """Random, with statistics that let the picture through, and the classifier that captions do without."""
    torch.manual_seed(0)
    network = EfficientNetLite(settings)
    weights = {}
    for name, value in network.state_dict().items():
        *parts, tensor = name.split(".")
        block = ["_blocks", parts[1]] if parts[0] == "blocks" else []
        part = ".".join(parts[2:] if block else parts)
        weights[".".join([*block, _PUBLISHED[part], tensor])] = value * 2 if tensor == "weight" else value
    weights["_fc.weight"], weights["_fc.bias"] = torch.zeros(10, settings.head_channels), torch.zeros(10)
    return weights


def write_stamps(root: Path) -> None:
    """As Tux Paint has them: transparent pictures, captions beside them."""
    random = np.random.default_rng(0)
    (root / "animals").mkdir(parents=True)
    for index in range(24):
        picture = Image.fromarray(random.integers(0, 255, (30, 40, 4), dtype=np.uint8), "RGBA")
        picture.save(root / "animals" / f"animal{index:02}.png")
        caption = f"A beast of kind {index % 8}. It bites.\nde.utf8=Ein Tier\nko.utf8=짐승 {index % 8}\n"
        (root / "animals" / f"animal{index:02}.txt").write_text(caption, encoding="utf-8")
    circle = '<circle cx="20" cy="10" r="9" fill="red"/>'
    (root / "ball.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="40pt" height="20pt" viewBox="0 0 40 20">{circle}</svg>'
    )
    (root / "ball.txt").write_text("A ball.\nko.utf8=공\n", encoding="utf-8")


def train(directory: Path) -> Path:
    """Prepare and train through the command line; returns the directory of checkpoints, the data beside it."""
    chosen = recipe(directory)
    stamps, weights = directory / "stamps", directory / "published.pth"
    write_stamps(stamps)
    torch.save(published_weights(chosen.encoder), weights)
    path, data, run = str(directory / "recipe.yaml"), str(directory / "data"), directory / "run"
    inputs = ["--stamps", str(stamps), "--encoder-weights", str(weights)]
    assert main(["caption-prepare", path, "--output", data, *inputs]) == 0
    assert main(["caption-train", path, "--data", data, "--output", str(run)]) == 0
    return run
