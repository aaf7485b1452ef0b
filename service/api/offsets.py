"""Where tokens stand in the texts that people see, protected spans in their places; in characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from service.api.explanation import Link
from service.bundle.tokenizer import Token, Tokenizer
from service.text.protected_spans import ProtectedText


@dataclass(frozen=True)
class AlignedSpan:
    """A source span and a target span, in characters of the whole texts."""

    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    weight: float


def source_tokens(tokenizer: Tokenizer, source: ProtectedText) -> list[Token]:
    """The source's tokens with offsets in its own text, without language prefix and end of sentence."""
    tokens = tokenizer.tokens(source.text)
    places = (source.original(token.begin, token.end) for token in tokens)
    return [replace(token, begin=begin, end=end) for token, (begin, end) in zip(tokens, places, strict=True)]


def target_offsets(tokenizer: Tokenizer, token_ids: Sequence[int], source: ProtectedText) -> list[tuple[int, int]]:
    """Begin and end of each token in the decoded text, the source's spans in their places.

    A character that is spelled in bytes belongs to the last of them.
    """
    if not token_ids:
        return []
    texts = [source.restore(tokenizer.decode(token_ids[: end + 1])) for end in range(len(token_ids))]
    # An unfinished character decodes to replacement characters, in whatever number.
    finished = accumulate((len(text.rstrip("\ufffd")) for text in texts[:-1]), max, initial=0)
    begins = [min(begin, len(texts[-1])) for begin in finished]
    return list(zip(begins, [*begins[1:], len(texts[-1])], strict=True))


@dataclass(frozen=True)
class Side:
    """A sentence of a source or of a translation."""

    text: str
    begin: int
    """Of the sentence in the whole text."""
    tokens: Sequence[tuple[int, int]]
    """Begin and end of each in `text`."""

    def place(self, index: int) -> tuple[int, int]:
        """Begin and end of a token in the whole text, without the white space before its word."""
        begin, end = _trim(self.text, *self.tokens[index])
        return self.begin + begin, self.begin + end


def aligned_spans(links: Sequence[Link], source: Side, target: Side) -> list[AlignedSpan]:
    """Links between tokens of a sentence as links between characters of the texts that it belongs to.

    Target tokens that stand for no character, such as all but the last byte of one, have none.
    """
    placed = ((source.place(link.source_index), target.place(link.target_index), link.weight) for link in links)
    return [AlignedSpan(*from_, *to, weight) for from_, to, weight in placed if to[0] < to[1]]


def _trim(text: str, begin: int, end: int) -> tuple[int, int]:
    """The span without the white space before its word, which a token carries."""
    part = text[begin:end]
    return begin + len(part) - len(part.lstrip()), end
