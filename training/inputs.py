"""Parallel text for one language pair or several: each file is read in every direction that the recipe has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from training.errors import TrainingError
from training.language_pairs import LanguagePair, split_name
from training.readers import Pair, read_input
from training.recipe import Recipe


def read_inputs(specifications: Iterable[str], recipe: Recipe) -> Iterator[Pair]:
    """Read what `--input` names.

    Args:
        specifications: as `read_input` takes them, with the languages of the two sides in front: `en-de:FILE.tsv` holds
            English, then German. It gives pairs of en-de, of de-en, or of both, whatever of them the recipe has. A
            recipe of one language pair needs no languages in front.
        recipe: which pairs there are.

    Raises:
        TrainingError: the recipe has no use for a file's languages, or a file cannot be read.
    """
    chosen = [_languages(specification, recipe) for specification in specifications]
    return (pair for languages, path in chosen for pair in in_every_direction(read_input(path), languages, recipe))


def in_every_direction(pairs: Iterable[Pair], languages: LanguagePair, recipe: Recipe) -> Iterator[Pair]:
    """Pairs of these languages, as they are and swapped, as far as the recipe has the direction."""
    is_forward, is_backward = languages in recipe.pairs, languages.swapped in recipe.pairs
    for pair in pairs:
        if is_forward:
            yield Pair(pair.source, pair.target, pair.origin, languages)
        if is_backward:
            yield Pair(pair.target, pair.source, pair.origin, languages.swapped)


def tagged(sources: Iterable[str], recipe: Recipe, languages: str | None) -> list[str]:
    """Sources as the model reads them: those that have no tag yet get that of `languages`, such as en-de.

    Raises:
        TrainingError: the recipe has no such pair, or a source has no tag and `languages` is None.
    """
    prefix = ""
    if languages is not None:
        pairs = {pair.name: pair for pair in recipe.pairs}
        if languages not in pairs:
            raise TrainingError(f"--languages {languages}: no pair of the recipe; known: {', '.join(pairs)}")
        prefix = recipe.source_prefix(pairs[languages])
    known = tuple(f"{tag} " for tag in recipe.tags.values())
    if not known:
        return list(sources)
    texts = [source if source.startswith(known) else prefix + source for source in sources]
    if not all(text.startswith(known) for text in texts):
        raise TrainingError(f"text without tags: give --languages, one of {', '.join(p.name for p in recipe.pairs)}")
    return texts


def split_tag(source: str, recipe: Recipe) -> tuple[str, str]:
    """The tag and space in front of a source, or nothing, and the rest of it."""
    tag = next((f"{tag} " for tag in recipe.tags.values() if source.startswith(f"{tag} ")), "")
    return tag, source.removeprefix(tag)


def _languages(specification: str, recipe: Recipe) -> tuple[LanguagePair, str]:
    languages, path = split_name(specification)
    known = ", ".join(pair.name for pair in recipe.pairs)
    if languages is None:
        if len(recipe.pairs) > 1:
            raise TrainingError(
                f"--input {specification}: put its languages in front, as in en-de:FILE; known: {known}"
            )
        return recipe.pairs[0], path
    if languages not in recipe.pairs and languages.swapped not in recipe.pairs:
        raise TrainingError(f"--input {specification}: {languages.name} is no pair of the recipe; known: {known}")
    return languages, path
