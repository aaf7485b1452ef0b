"""Recurrent models of random weights, small but with a vocabulary of their own."""

from __future__ import annotations

import torch

from tests.export.checkpoints import WORDS
from tests.training.recurrent import SMALL
from training.checkpoint import Checkpoint
from training.model import build_model
from training.model_settings import RnnSettings
from training.recipe import DataSettings, Recipe
from training.vocabulary import Vocabulary, VocabularySettings

LONGEST = 30
"""Tokens of a source and of a target."""


def make_checkpoint(scale: float = 2.0, **changes: object) -> Checkpoint:
    """Random weights, large enough for translations to differ, not so large that rounding decides."""
    torch.manual_seed(0)
    settings = {**SMALL, "embedding_size": 24, "hidden_size": 32, "readout_size": 24, **changes}
    if "padded_source_tokens" in settings:
        settings["padded_source_tokens"] = LONGEST
    recipe = Recipe(
        name="rnn",
        source_language="en",
        target_language="xx",
        data=DataSettings(max_source_tokens=LONGEST, max_target_tokens=LONGEST),
        model=RnnSettings(**settings),  # type: ignore[arg-type]
    )
    vocabulary = Vocabulary.train(WORDS * 3, VocabularySettings(size=200, kind="bpe", byte_fallback=False))
    weights = build_model(recipe, vocabulary, vocabulary).state_dict()
    for weight in weights.values():
        if weight.dim() > 1:
            weight.mul_(scale)
    progress = {"step": 0, "target_tokens": 0, "seconds": 0.0}
    return Checkpoint(recipe, vocabulary, vocabulary, weights, progress, {})
