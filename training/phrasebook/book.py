"""The whole phrasebook: what the grammar writes, then what was written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from training.phrasebook import grammar
from training.phrasebook.everyday import everyday_phrases
from training.phrasebook.phrase import Phrase


def phrases(language: str) -> Iterator[Phrase]:
    """Every pair, the same at every call; each English sentence once; the grammar's where both have it.

    Args:
        language: of the translations, one of `LANGUAGES`; the grammar writes Korean only.
    """
    written: set[str] = set()
    for phrase in grammar.phrases() if language == "ko" else ():
        written.add(phrase.source)
        yield phrase
    for phrase in everyday_phrases(language):
        if phrase.source not in written:
            yield phrase
