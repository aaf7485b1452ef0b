"""Sentences: a text is cut into parts that the model translates one by one, and put back together.

Line breaks and the white space around sentences are kept as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sentencex

from service.text.protected_spans import merge_over


@dataclass(frozen=True)
class Segment:
    """A sentence, or part of one, and the white space before it."""

    before: str
    text: str
    begin: int
    """Where `text` begins in the whole text, in characters."""


@dataclass(frozen=True)
class Segmentation:
    """A text in parts: segments and the white space after the last."""

    segments: tuple[Segment, ...]
    after: str

    def join(self, translations: Sequence[str]) -> str:
        """Put translations in the places of the segments."""
        pairs = zip(self.segments, translations, strict=True)
        return "".join(segment.before + translation for segment, translation in pairs) + self.after


def segment(
    text: str,
    language: str,
    count_tokens: Callable[[str], int],
    max_tokens: int,
    protected: Sequence[tuple[int, int]] = (),
) -> Segmentation:
    """Cut a text into sentences of at most `max_tokens` tokens.

    Args:
        text: any text. Joining the segments unchanged gives it back.
        language: BCP-47 code; decides the abbreviations that end no sentence.
        count_tokens: the length of a text in tokens.
        max_tokens: a longer sentence is cut between words, and a longer word between characters.
        protected: begin and end of spans, in order, in which nothing is cut but a span that is too long by itself.
    """
    segments: list[Segment] = []
    end = 0  # of what is done
    for begin, stop in merge_over(_sentences(text, language), protected):
        for first, last in _within(text, (begin, stop), count_tokens, max_tokens, protected):
            segments.append(Segment(text[end:first], text[first:last], first))
            end = last
    return Segmentation(tuple(segments), text[end:])


def _sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Begin and end of each sentence, white space around it left out."""
    spans: list[tuple[int, int]] = []
    line_begin = 0
    for line in text.splitlines(keepends=True):
        # sentencex 1.0 panics next to white space that is not ASCII; the offsets stay those of the line.
        plain = "".join(" " if character.isspace() else character for character in line)
        for begin, end in _boundaries(plain, language):
            sentence = line[begin:end]
            stripped = sentence.strip()
            if stripped:
                first = line_begin + begin + sentence.index(stripped)
                spans.append((first, first + len(stripped)))
        line_begin += len(line)
    return spans


def _boundaries(line: str, language: str) -> list[tuple[int, int]]:
    try:
        found = sentencex.get_sentence_boundaries(language.partition("-")[0], line)
    except BaseException as error:
        # A panic of the Rust library is no Exception; left alone it would end the server instead of one request.
        if type(error).__name__ != "PanicException":
            raise
        return [(0, len(line))]
    return [(boundary["start_index"], boundary["end_index"]) for boundary in found]


def _within(
    text: str,
    part: tuple[int, int],
    count_tokens: Callable[[str], int],
    max_tokens: int,
    protected: Sequence[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Cut a part until every piece is short enough, halving at a word boundary where there is one."""
    begin, end = part
    if end - begin <= 1 or count_tokens(text[begin:end]) <= max_tokens:
        return [(begin, end)]
    middle = (begin + end) // 2
    space = max(text.rfind(" ", begin + 1, middle), 0) or text.find(" ", middle, end - 1)
    cut = _outside(protected, space if space > begin else middle, begin, end)
    parts = []
    for half_begin, half_end in ((begin, cut), (cut, end)):
        half = text[half_begin:half_end]
        stripped = half.strip()
        if stripped:
            first = half_begin + half.index(stripped)
            parts += _within(text, (first, first + len(stripped)), count_tokens, max_tokens, protected)
    return parts


def _outside(protected: Sequence[tuple[int, int]], cut: int, begin: int, end: int) -> int:
    """A place for a cut within (begin, end): beside the span that it falls into, if there is one."""
    index = bisect_left(protected, (cut,)) - 1
    if index < 0 or protected[index][1] <= cut:
        return cut
    first, last = protected[index]
    return next((place for place in (first, last) if begin < place < end), cut)
