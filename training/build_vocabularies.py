"""The vocabularies of prepared text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from training.checkpoint import Checkpoint
from training.encoding import iterate_pairs
from training.protected_spans import protect_pair
from training.recipe import Recipe
from training.tags import symbol
from training.vocabulary import Vocabulary


def build_vocabularies(recipe: Recipe, data: Path, directory: Path) -> tuple[Vocabulary, Vocabulary]:
    """Learn source.model and target.model in `directory` from train.tsv in `data`; the same one twice where shared.

    Raises:
        TrainingError: the text is missing, or too small for the size asked for.
    """
    sources, targets = (_side(recipe, data / "train.tsv", side) for side in (0, 1))
    settings, symbols = recipe.vocabulary, _symbols(recipe)
    if settings.is_shared:
        source = target = Vocabulary.train(itertools.chain(sources, targets), settings, recipe.seed, symbols)
    else:
        source = Vocabulary.train(sources, settings, recipe.seed, symbols)
        target = Vocabulary.train(targets, settings, recipe.seed, recipe.protected_spans.symbols)
    return _save(source, target, directory)


def extend_vocabularies(recipe: Recipe, checkpoint: Checkpoint, directory: Path) -> tuple[Vocabulary, Vocabulary]:
    """Take a trained model's vocabularies over, with the symbols that the recipe adds to them."""
    symbols = [*_symbols(recipe), *recipe.vocabulary.symbols]
    source = checkpoint.source_vocabulary.extended(symbols)
    return _save(source, checkpoint.target_vocabulary.extended(symbols), directory)


def _symbols(recipe: Recipe) -> list[str]:
    """What stands in a source for something else: protected spans, the target language, where a pair comes from."""
    origins = (symbol(name) for name in dict.fromkeys(recipe.prepare.tags.values()))
    return [*recipe.protected_spans.symbols, *recipe.tags.values(), *origins]


def _side(recipe: Recipe, path: Path, side: int) -> Iterator[str]:
    for pair in iterate_pairs(path):
        yield protect_pair(*pair, recipe.protected_spans)[side]


def _save(source: Vocabulary, target: Vocabulary, directory: Path) -> tuple[Vocabulary, Vocabulary]:
    directory.mkdir(parents=True, exist_ok=True)
    source.save(directory / "source.model")
    target.save(directory / "target.model")
    return source, target
