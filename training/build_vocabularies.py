"""The vocabularies of prepared text."""

from __future__ import annotations

import itertools
from pathlib import Path

from training.encoding import iterate_pairs
from training.recipe import Recipe
from training.vocabulary import Vocabulary


def build_vocabularies(recipe: Recipe, directory: Path) -> tuple[Vocabulary, Vocabulary]:
    """Learn source.model and target.model from train.tsv, all three in `directory`; the same one twice where shared.

    Raises:
        TrainingError: the text is missing, or too small for the size asked for.
    """
    path, settings = directory / "train.tsv", recipe.vocabulary
    sources = (source for source, _ in iterate_pairs(path))
    targets = (target for _, target in iterate_pairs(path))
    if settings.is_shared:
        source = target = Vocabulary.train(itertools.chain(sources, targets), settings, recipe.seed)
    else:
        source = Vocabulary.train(sources, settings, recipe.seed)
        target = Vocabulary.train(targets, settings, recipe.seed)
    source.save(directory / "source.model")
    target.save(directory / "target.model")
    return source, target
