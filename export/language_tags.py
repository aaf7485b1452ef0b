"""Tags that tell a model its target language: symbols in front of training text, ids in a bundle's manifest."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sentencepiece import sentencepiece_model_pb2 as spm

from service.bundle.manifest import LanguagePair
from training.recipe import Recipe
from training.vocabulary import Vocabulary


def language_pairs(recipe: Recipe, source_vocabulary: Vocabulary) -> tuple[LanguagePair, ...]:
    """The pairs of a recipe as a manifest has them, with the ids that its tags have in the source vocabulary."""
    return tuple(
        LanguagePair(
            source_language=pair.source,
            target_language=pair.target,
            source_prefix_ids=tuple(source_vocabulary.encode([recipe.source_prefix(pair)])[0]),
        )
        for pair in recipe.pairs
    )


def without_tags(vocabulary: Vocabulary, tags: Collection[str]) -> Vocabulary:
    """The vocabulary with its tags as control symbols, which no text contains.

    Who writes ⟦de⟧ in a text means these characters, not the language.
    """
    return _retyped(vocabulary, tags, is_text=False)


def with_tags(vocabulary: Vocabulary, tags: Collection[str]) -> Vocabulary:
    """The vocabulary as it was before `without_tags`: prepared text contains its tags."""
    return _retyped(vocabulary, tags, is_text=True)


def _retyped(vocabulary: Vocabulary, tags: Collection[str], *, is_text: bool) -> Vocabulary:
    if not tags:
        return vocabulary
    model = spm.ModelProto()
    model.ParseFromString(vocabulary.model)
    kinds = spm.ModelProto.SentencePiece
    for piece in model.pieces:
        if piece.piece in tags:
            piece.type = kinds.USER_DEFINED if is_text else kinds.CONTROL
    lists = [model.trainer_spec.control_symbols, model.trainer_spec.user_defined_symbols]
    left, joined = lists if is_text else reversed(lists)
    others = [symbol for symbol in left if symbol not in tags]
    del left[:]
    left.extend(others)
    joined.extend(tags)
    return Vocabulary(model.SerializeToString())


def with_prefixes(sources: Iterable[list[int]], pairs: tuple[LanguagePair, ...]) -> list[list[int]]:
    """Source ids as the model reads them, the prefixes of all pairs in turns."""
    return [[*pairs[index % len(pairs)].source_prefix_ids, *ids] for index, ids in enumerate(sources)]
