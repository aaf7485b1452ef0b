"""A recipe and its vocabularies, turned into a model."""

from __future__ import annotations

from typing import Any

from training.model_settings import RnnSettings
from training.recipe import Recipe
from training.rnn import Rnn
from training.seq2seq import Seq2Seq
from training.transformer import Transformer
from training.vocabulary import Vocabulary


def build_model(recipe: Recipe, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary) -> Seq2Seq[Any]:
    """A model with fresh weights; seed PyTorch first where they should be reproducible."""
    sizes = len(source_vocabulary), len(target_vocabulary)
    settings, is_shared = recipe.model, recipe.vocabulary.is_shared
    if isinstance(settings, RnnSettings):
        return Rnn(settings, *sizes, is_shared)
    # One position more than the longest text, for beginning of sentence.
    max_positions = max(recipe.data.max_source_tokens, recipe.data.max_target_tokens) + 1
    return Transformer(settings, *sizes, max_positions, is_shared)
