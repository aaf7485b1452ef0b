"""A translated text as its source holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A text in English and in another language, not cleaned yet."""

    source: str
    target: str
