"""Pairs whose one side a model wrote: back-translated, forward-translated, distilled. Never held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from training.candidates import duplicate_key
from training.errors import TrainingError
from training.language_pairs import split_name
from training.readers import Pair, read_input
from training.recipe import Recipe


def read_synthetic(specification: str, recipe: Recipe) -> Iterator[Pair]:
    """Read what `--synthetic` names: `ORIGIN=INPUT`, where all pairs are of that origin; see `read_input`.

    Of a recipe with several language pairs `ORIGIN=en-de:INPUT`; no other direction is made of it.

    Raises:
        TrainingError: there is no origin, the languages are no pair of the recipe, or what `read_input` raises.
    """
    origin, separator, path = specification.partition("=")
    if not (origin and separator and path):
        raise TrainingError(f"--synthetic {specification}: expected ORIGIN=FILE, such as back-translated=bt.tsv")
    languages, path = split_name(path)
    if languages is None and len(recipe.pairs) == 1:
        languages = recipe.pairs[0]
    if languages not in recipe.pairs:
        known = ", ".join(pair.name for pair in recipe.pairs)
        raise TrainingError(f"--synthetic {specification}: put its pair in front, ORIGIN=en-de:FILE; known: {known}")
    return (Pair(pair.source, pair.target, origin, languages) for pair in read_input(path))


class HeldOutTargets:
    """Targets of held-out text. A synthetic source differs from the one of a test pair though the target is its."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def add(self, target: str) -> None:
        """Keep a target in mind."""
        self._keys.add(duplicate_key(target))

    def without(self, pairs: Iterable[Pair], dropped: Counter[str]) -> Iterator[Pair]:
        """The pairs whose target is not held out; the others are counted."""
        for pair in pairs:
            if duplicate_key(pair.target) in self._keys:
                dropped["target in held-out text"] += 1
            else:
                yield pair
