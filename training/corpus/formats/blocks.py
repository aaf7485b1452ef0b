"""Documents as sequences of blocks, aligned where both languages have the same skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.corpus.text import Entry


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item or the like."""

    kind: str
    text: str


def align(english: Sequence[Block], other: Sequence[Block]) -> Iterator[Entry]:
    """Entries of two documents of one skeleton; nothing where the skeletons differ.

    A translation may go on after the end of the original: translators sign there.
    """
    kinds = [block.kind for block in english]
    if kinds == [block.kind for block in other[: len(english)]]:
        yield from (Entry(source.text, target.text) for source, target in zip(english, other, strict=False))
