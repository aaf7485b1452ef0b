"""A recipe and its vocabularies, turned into a model."""

from __future__ import annotations

from training.recipe import Recipe
from training.transformer import Transformer
from training.vocabulary import Vocabulary


def build_model(recipe: Recipe, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary) -> Transformer:
    """A model with fresh weights; seed PyTorch first where they should be reproducible."""
    # One position more than the longest text, for beginning of sentence.
    max_positions = max(recipe.data.max_source_tokens, recipe.data.max_target_tokens) + 1
    return Transformer(
        recipe.model,
        len(source_vocabulary),
        len(target_vocabulary),
        max_positions,
        recipe.vocabulary.is_shared,
    )
