"""Terms in text: which of them a source holds, and where a translation shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.words import has_word


@dataclass(frozen=True)
class Term:
    """A term and what it must become."""

    source: str
    target: str


@dataclass(frozen=True)
class Place:
    """Where a term's target stands: characters [begin, end)."""

    term: int
    begin: int
    end: int


def terms_in(source: str, terms: Sequence[Term]) -> list[Term]:
    """The terms whose source stands in a text as a word of its own, upper and lower case alike."""
    folded = source.casefold()
    return [term for term in terms if has_word(folded, term.source.casefold())]


def places_of(terms: Sequence[Term], translation: str) -> list[Place]:
    """Where the targets of terms stand, in order of the translation."""
    places = [
        Place(index, begin, begin + len(term.target))
        for index, term in enumerate(terms)
        for begin in _occurrences(translation, term.target)
    ]
    return sorted(places, key=lambda place: (place.begin, place.term))


def _occurrences(text: str, part: str) -> list[int]:
    found = []
    begin = text.find(part)
    while begin >= 0:
        found.append(begin)
        begin = text.find(part, begin + len(part))
    return found
