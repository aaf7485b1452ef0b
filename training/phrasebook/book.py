"""The whole phrasebook: what the grammar writes, then what was written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from training.phrasebook import grammar
from training.phrasebook.everyday import everyday_phrases
from training.phrasebook.phrase import Phrase


def phrases() -> Iterator[Phrase]:
    """Every pair, the same at every call; each English sentence once; the grammar's where both have it."""
    written: set[str] = set()
    for phrase in grammar.phrases():
        written.add(phrase.source)
        yield phrase
    for phrase in everyday_phrases():
        if phrase.source not in written:
            yield phrase
