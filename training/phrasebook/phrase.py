"""What every part of the phrasebook consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """An English sentence, its translation, and the part of the phrasebook it belongs to."""

    source: str
    target: str
    origin: str
