"""Real English sentences that every machine has: the documentation in the standard library's `pydoc_data.topics`.

The same Python version gives the same sentences in the same order; another version's documentation differs a little.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pydoc_data.topics import topics

MIN_WORDS, MAX_WORDS = 3, 60
MIN_LETTERS = 0.8
"""Least share of letters among the characters of a sentence that are not white space."""

_MARKUP = re.compile(r"::|\||===|---|\*\*\*|>>>")
_SIGNS = re.compile(r"__|->|\"\"|[<>={}\\@~^]")
_ORNAMENT = re.compile(r" *\[\d+\]|[*`]+")
_BULLET = re.compile(r"(?:[*•-]|\[?\d+[.\]]) +")
_VERSION_NOTE = re.compile(r"(?:Note|(?:New|Changed|Added) in version [\d.]+): *")
_SENTENCE_END = re.compile(r"""(?:(?<=[.?!])|(?<=[.?!][)"'’]))(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)\s+""")
_SENTENCE = re.compile(r"""[A-Z].*[A-Za-z")’][.?!]""")


def sentences(number: int) -> list[str]:
    """Different sentences of 3 to 60 words each, in a fixed pseudo-random order.

    Args:
        number: how many.

    Raises:
        ValueError: there are fewer.
    """
    found = sorted({sentence for text in topics.values() for sentence in _of_text(text) if _is_plain(sentence)})
    if number > len(found):
        raise ValueError(f"{number} sentences asked for; this Python's documentation has {len(found)}")
    random.Random(0).shuffle(found)  # noqa: S311 - an order, not a secret
    return found[:number]


def _of_text(text: str) -> Iterator[str]:
    for paragraph in _paragraphs(text):
        for part in _SENTENCE_END.split(_ORNAMENT.sub("", " ".join(paragraph.split()))):
            yield _VERSION_NOTE.sub("", part)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs without headings, tables and code; code stands deeper than the line before it that ends in a colon."""
    introduction_depth: int | None = None
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        depth = _depth(lines[0])
        if introduction_depth is not None and depth > introduction_depth:
            continue
        introduction_depth = depth if block.rstrip().endswith(":") else None
        if not _MARKUP.search(block):
            yield from _items(lines)


def _items(lines: list[str]) -> Iterator[str]:
    """A paragraph; or the items of a list without blank lines; or what is said of a term on a line of its own."""
    items: list[list[str]] = [[]]
    for line in lines:
        bullet = _BULLET.match(line.strip())
        if bullet:
            items.append([])
        items[-1].append(line.strip()[bullet.end() :] if bullet else line)
    first = items[0]
    if len(first) > 1 and _depth(first[1]) > _depth(first[0]):
        del first[0]
    for item in items:
        yield " ".join(item)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_plain(sentence: str) -> bool:
    characters = sentence.replace(" ", "")
    return (
        MIN_WORDS <= len(sentence.split()) <= MAX_WORDS
        and _SENTENCE.fullmatch(sentence) is not None
        and _SIGNS.search(sentence) is None
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and sum(character.isalpha() for character in characters) >= MIN_LETTERS * len(characters)
    )
