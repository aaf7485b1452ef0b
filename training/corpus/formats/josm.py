"""JOSM's language files: texts one after the other, in the order of the English file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.corpus.formats.files import read
from training.corpus.text import Entry

_SAME_AS_ENGLISH = 0xFFFE
_END_OF_SINGULARS = 0xFFFF


def read_josm(english: Path, other: Path) -> Iterator[Entry]:
    """Entries of two files; texts with plural forms are left out.

    A text is two bytes of length, most significant first, and UTF-8; 0 is untranslated.
    """
    texts = zip(_texts(read(english)), _texts(read(other)), strict=False)
    yield from (Entry(source, target) for source, target in texts if source and target)


def _texts(content: bytes) -> Iterator[str]:
    position = 0
    while position + 2 <= len(content):
        length = int.from_bytes(content[position : position + 2])
        position += 2
        if length == _END_OF_SINGULARS:
            return
        if length == _SAME_AS_ENGLISH:
            yield ""
            continue
        yield content[position : position + length].decode("utf-8", errors="replace")
        position += length
