"""apt's indices of translated package descriptions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from training.corpus.text import Entry


def pair_descriptions(english: str, other: str, language: str) -> Iterator[Entry]:
    """Entries of two indices, paired by checksum and paragraph."""
    translations = parse_descriptions(other, language)
    for checksum, paragraphs in parse_descriptions(english, "en").items():
        translated = translations.get(checksum, [])
        if len(translated) == len(paragraphs):
            yield from (Entry(*pair) for pair in zip(paragraphs, translated, strict=True))


def parse_descriptions(text: str, language: str) -> dict[str, list[str]]:
    """Package descriptions by their checksum: the summary, then the paragraphs. Lists are empty paragraphs."""
    # Korean is wrapped within words too: how the rest of the index is written tells where.
    seen = _Seen(text) if language == "ko" else None
    found: dict[str, list[str]] = {}
    for stanza in text.split("\n\n"):
        checksum = re.search(r"^Description-md5: (\w+)$", stanza, re.MULTILINE)
        body = re.search(rf"^Description-{language}: (.*)\n((?: .*\n?)*)", stanza + "\n", re.MULTILINE)
        if checksum and body:
            paragraphs = re.split(r"\n \.\n", body[2].rstrip("\n"))
            found[checksum[1]] = [body[1], *(_unwrap(paragraph, seen) for paragraph in paragraphs)]
    return found


class _Seen:
    """Words of an index, and its neighbouring syllables with a space between them and without."""

    def __init__(self, text: str) -> None:
        self._words = Counter(re.findall(r"(?<=\S )\S+(?= \S)", text))
        self._syllables = Counter(re.findall(r"(?=([가-힣] ?[가-힣]))", text))

    def is_within_word(self, before: str, after: str) -> bool:
        """Whether a line ended within a word."""
        first, second = before.rpartition(" ")[2], after.partition(" ")[0]
        if whole := self._words[first + second]:
            return whole > min(self._words[first], self._words[second])
        return self._syllables[first[-1:] + second[:1]] > self._syllables[f"{first[-1:]} {second[:1]}"]


def _unwrap(paragraph: str, seen: _Seen | None) -> str:
    lines = [line.removeprefix(" ").rstrip() for line in paragraph.split("\n")]
    if any(line.startswith((" ", "*", "-")) for line in lines):
        return ""
    text = lines[0]
    for line in lines[1:]:
        text += line if seen and seen.is_within_word(text, line) else f" {line}"
    return text
