"""Links that are right for all that can be known without annotators.

*Anchors*: pieces of words, numbers and protected spans that stand exactly once on both sides, spelled alike. *Words*:
links of which IBM Model 1, fitted to the same pairs, is sure in both directions; of pieces with letters or digits, for
punctuation is everywhere. Anchors are surer, but a model may copy by heads that align nothing else; so both count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from export.alignment.held_out import HeldOutPair
from export.alignment.ibm1 import agreed_links
from service.bundle.bundle import Bundle
from service.bundle.tokenizer import SPACE

Link = tuple[int, int]
"""Source position, target position."""


@dataclass(frozen=True)
class Reference:
    """A pair with its links."""

    pair: HeldOutPair
    anchors: frozenset[Link]
    words: frozenset[Link]
    """Those that are no anchors."""


def references(bundle: Bundle, pairs: Sequence[HeldOutPair]) -> list[Reference]:
    """The links of every pair that has any, in the order of the pairs; each language pair has its own Model 1."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs):
        groups[pair.prefix_ids].append(index)
    agreed: dict[int, set[Link]] = {}
    for members in groups.values():
        links = agreed_links([pairs[i].source_ids for i in members], [pairs[i].target_ids for i in members])
        agreed |= dict(zip(members, links, strict=True))
    found = (_reference(bundle, pair, agreed[index]) for index, pair in enumerate(pairs))
    return [one for one in found if one.anchors or one.words]


def _reference(bundle: Bundle, pair: HeldOutPair, agreed: set[Link]) -> Reference:
    source = [_spelling(bundle.source_tokenizer.piece(token)) for token in pair.source_ids]
    target = [_spelling(bundle.target_tokenizer.piece(token)) for token in pair.target_ids]
    anchors = _anchors(source, target)
    aligned = {found for link in anchors for found in zip(("source", "target"), link, strict=True)}
    words = {
        (i, j)
        for i, j in agreed
        if _is_word(source[i]) and _is_word(target[j]) and not {("source", i), ("target", j)} & aligned
    }
    return Reference(pair, frozenset(anchors), frozenset(words))


def _anchors(source: Sequence[str], target: Sequence[str]) -> set[Link]:
    once = {spelling for spelling, number in Counter(target).items() if number == 1 and _is_anchor(spelling)}
    numbers = Counter(source)
    places = {spelling: index for index, spelling in enumerate(target)}
    return {
        (index, places[spelling])
        for index, spelling in enumerate(source)
        if spelling in once and numbers[spelling] == 1
    }


def _spelling(piece: str) -> str:
    return piece.strip(SPACE).lower()


def _is_word(spelling: str) -> bool:
    return any(character.isalnum() for character in spelling)


def _is_anchor(spelling: str) -> bool:
    """Single letters are like each other by chance."""
    return _is_word(spelling) and (len(spelling) > 1 or spelling.isdigit())
