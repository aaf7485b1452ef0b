"""The hand-written part: everyday sentence pairs of everyday_en_ko.tsv (English, Korean, topic)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from training.phrasebook.phrase import Phrase

EVERYDAY_ORIGIN, EVERYDAY_HELD_OUT_ORIGIN = "phrasebook-everyday", "phrasebook-everyday-heldout"
_PATH = Path(__file__).with_name("everyday_en_ko.tsv")
_HELD_OUT_ONE_IN = 25


def everyday_phrases() -> Iterator[Phrase]:
    """Every hand-written pair in the file's order; one in 25, drawn by a hash of its text, is held out."""
    for english, korean, _ in everyday_rows():
        yield Phrase(english, korean, EVERYDAY_HELD_OUT_ORIGIN if _is_held_out(english) else EVERYDAY_ORIGIN)


def everyday_rows() -> Iterator[tuple[str, str, str]]:
    """The lines of the file: English, Korean, topic."""
    for line in _PATH.read_text(encoding="utf-8").splitlines():
        english, korean, topic = line.split("\t")
        yield english, korean, topic


def _is_held_out(english: str) -> bool:
    return int.from_bytes(hashlib.sha256(english.encode()).digest()[:8], "big") % _HELD_OUT_ONE_IN == 0
