"""Transformers of random weights, and sources for them."""

from __future__ import annotations

import numpy as np
import torch

from training.checkpoint import Checkpoint
from training.model import build_model
from training.recipe import load_recipe, parse_recipe
from training.vocabulary import END_ID, Vocabulary, VocabularySettings

WORDS = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in "nrst"]


def make_checkpoint(seed: int, scale: float = 1.5, **model: object) -> Checkpoint:
    """Random weights in the bundled recipe's architecture, or in another, with a small vocabulary."""
    torch.manual_seed(seed)
    content = load_recipe("en-ko-software").to_dict()
    content["model"] |= model
    recipe = parse_recipe(content, "test")
    vocabulary = Vocabulary.train(WORDS * 3, VocabularySettings(size=200, kind="bpe", byte_fallback=False))
    weights = build_model(recipe, vocabulary, vocabulary).state_dict()
    for name, weight in weights.items():
        # With tied embeddings and small weights a model repeats its input; these let the layers speak.
        if ".layers." in name and weight.dim() > 1:
            weight.mul_(scale)
    progress = {"step": 0, "target_tokens": 0, "seconds": 0.0}
    return Checkpoint(recipe, vocabulary, vocabulary, weights, progress, {})


def random_sources(number: int, size: int, longest: int, seed: int) -> list[list[int]]:
    """Of 1 to `longest` - 1 random tokens, each with its end; `size` of the vocabulary."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest, number)
    return [[*map(int, generator.integers(4, size, length)), END_ID] for length in lengths]
