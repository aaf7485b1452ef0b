"""What of a scene's caption is true: its objects, their colours, and sizes, places, numbers and relations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.captioning.lexicon import COLOURS, NOUNS


@dataclass(frozen=True)
class Truth:
    """Of one caption."""

    objects: bool
    """It names the nouns of a right caption, in its order."""
    colours: bool
    """Each noun with its colour, too."""
    places: bool
    """Colours aside, it is a right caption: sizes, places, numbers and relations are right, and the objects in them."""


def judge(text: str, references: Sequence[str], language: str) -> Truth:
    """Compare with all that is true; words of the grammar only, so a caption in other words is not."""
    told = [_things(reference, language) for reference in references]
    found = _things(text, language)
    nouns = [noun for _, noun in found]
    return Truth(
        objects=any(nouns == [noun for _, noun in things] for things in told),
        colours=found in told,
        places=_uncoloured(text, language) in {_uncoloured(reference, language) for reference in references},
    )


_ENGLISH_NOUNS = {word: noun.name for noun in NOUNS for word in (noun.name, noun.plural)}
_KOREAN_NOUNS = {noun.korean: noun.name for noun in NOUNS}
_COLOURS = {
    "en": {colour.name: colour.name for colour in COLOURS},
    "ko": {colour.korean: colour.name for colour in COLOURS},
}


def _things(text: str, language: str) -> list[tuple[str, str]]:
    """Colour and noun of everything that a caption names, in order; a colour is empty where there is none."""
    colour, found = "", []
    for word in re.findall(r"\w+", text.lower()):
        known = _COLOURS[language].get(word)
        if known is not None:
            colour = known
            continue
        noun = _noun(word, language)
        if noun is not None:
            found.append((colour, noun))
            colour = ""
    return found


def _noun(word: str, language: str) -> str | None:
    if language == "en":
        return _ENGLISH_NOUNS.get(word)
    # A particle may follow.
    matching = [noun for noun in _KOREAN_NOUNS if word.startswith(noun) and len(word) <= len(noun) + 1]
    return _KOREAN_NOUNS[max(matching, key=len)] if matching else None


def _uncoloured(text: str, language: str) -> str:
    """Without colours, and without the difference of "a" and "an", which comes of them."""
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in _COLOURS[language]]
    return " ".join("a" if word == "an" else word for word in words)
