"""The hand-written part: everyday sentence pairs of everyday_en_XX.tsv (English, translation, topic)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from training.phrasebook.phrase import Phrase

EVERYDAY_ORIGIN, EVERYDAY_HELD_OUT_ORIGIN = "phrasebook-everyday", "phrasebook-everyday-heldout"
_FILES = {
    path.stem.removeprefix("everyday_en_"): path for path in sorted(Path(__file__).parent.glob("everyday_en_*.tsv"))
}
LANGUAGES = tuple(_FILES)
"""What the English is translated into."""
_HELD_OUT_ONE_IN = 25
_MOST_WORDS_NEVER_HELD_OUT = 3


def everyday_phrases(language: str) -> Iterator[Phrase]:
    """Every hand-written pair in the file's order; one in 25, drawn by a hash of its text, is held out.

    "Hello!" and the like are not: who has not read them cannot translate them.
    """
    for english, translation, _ in everyday_rows(language):
        yield Phrase(english, translation, EVERYDAY_HELD_OUT_ORIGIN if _is_held_out(english) else EVERYDAY_ORIGIN)


def everyday_rows(language: str) -> Iterator[tuple[str, str, str]]:
    """The lines of the file: English, translation, topic."""
    for line in _FILES[language].read_text(encoding="utf-8").splitlines():
        english, translation, topic = line.split("\t")
        yield english, translation, topic


def _is_held_out(english: str) -> bool:
    draw = int.from_bytes(hashlib.sha256(english.encode()).digest()[:8], "big")
    return len(english.split()) > _MOST_WORDS_NEVER_HELD_OUT and draw % _HELD_OUT_ONE_IN == 0
