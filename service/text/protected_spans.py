"""Spans that come through a translation untouched: placeholders, tags, addresses, code.

The model reads a numbered symbol such as `⟦1⟧` in the place of each and says where it belongs. The manifest says which
spans these are, and the symbols: the model was trained on text read the same way.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

_SYMBOL = re.compile(r"⟦\d+⟧")


@dataclass(frozen=True)
class Span:
    """A protected span: its symbol, and its characters [begin, end) in the text."""

    symbol: str
    text: str
    begin: int

    @property
    def end(self) -> int:
        """The character after it."""
        return self.begin + len(self.text)


@dataclass(frozen=True)
class ProtectedText:
    """A text as the model reads it, and what its symbols stand for."""

    text: str
    spans: tuple[Span, ...] = ()
    may_hold_symbols: bool = False
    """Whether the model writes symbols, so that those in a translation that stand for no span are faults, and left out;
    else they are text."""

    def restore(self, translation: str) -> str:
        """A translation with the spans in the places of their symbols."""
        return _SYMBOL.sub(self._text_of, translation) if self.may_hold_symbols else translation

    def cover(self, text: str) -> str:
        """A text that belongs to this one, such as its translation, with symbols in the places of its spans."""
        waiting = list(self.spans)
        parts: list[str] = []
        end = 0
        for match in self._any_span.finditer(text) if self.spans else ():
            found = next((span for span in waiting if span.text == match[0]), None)
            if found is not None:
                waiting.remove(found)
                parts += [text[end : match.start()], found.symbol]
                end = match.end()
        return "".join([*parts, text[end:]])

    def original(self, begin: int, end: int) -> tuple[int, int]:
        """Where the characters [begin, end) of `text` stand in the original; a symbol's stand for the whole span."""
        return self._original(begin, is_end=False), self._original(end, is_end=True)

    def _original(self, offset: int, is_end: bool) -> int:
        shift = 0
        for span in self.spans:
            first = span.begin - shift  # of its symbol
            if offset < first or (is_end and offset == first):
                break
            last = first + len(span.symbol)
            if offset < last or (is_end and offset == last):
                return span.end if is_end else span.begin
            shift += len(span.text) - len(span.symbol)
        return offset + shift

    def faults(self, translation: str) -> Counter[str]:
        """By symbol: how many too many or too few of it a translation as the model wrote it has."""
        if not self.may_hold_symbols:
            return Counter()
        found = Counter(_SYMBOL.findall(translation))
        for span in self.spans:
            found[span.symbol] -= 1
        return Counter({symbol: abs(number) for symbol, number in found.items() if number})

    def places(self, translation: str) -> list[tuple[Span, int | None]]:
        """Each span with where it first stands in the restored translation; None where it is missing."""
        begins: dict[str, int] = {}
        length = end = 0
        for match in _SYMBOL.finditer(translation):
            length += match.start() - end
            begins.setdefault(match[0], length)
            length += len(self._text_of(match))
            end = match.end()
        return [(span, begins.get(span.symbol)) for span in self.spans]

    def _text_of(self, match: re.Match[str]) -> str:
        return self._texts.get(match[0], "")

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {span.symbol: span.text for span in self.spans}

    @cached_property
    def _any_span(self) -> re.Pattern[str]:
        longest_first = sorted({span.text for span in self.spans}, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)))


class SpanProtector:
    """Finds the spans that a model was trained to leave alone. Safe to share between threads."""

    def __init__(self, symbols: Sequence[str], patterns: Sequence[str]) -> None:
        """`symbols`: in the order in which a sentence uses them; none: nothing is protected."""
        self.symbols = symbols
        self._pattern = re.compile("|".join(patterns)) if symbols and patterns else None

    def places(self, text: str) -> list[tuple[int, int]]:
        """Begin and end of every span of a text."""
        return [match.span() for match in self._pattern.finditer(text)] if self._pattern else []

    def protect(self, text: str) -> ProtectedText:
        """One sentence as the model reads it; spans beyond the number of symbols stay text."""
        if self._pattern is None:
            return ProtectedText(text)
        places = self.places(text)[: len(self.symbols)]
        parts: list[str] = []
        end = 0
        for (begin, stop), symbol in zip(places, self.symbols, strict=False):
            parts += [_without_symbols(text[end:begin]), symbol]
            end = stop
        parts.append(_without_symbols(text[end:]))
        spans = (
            Span(symbol, text[begin:stop], begin) for (begin, stop), symbol in zip(places, self.symbols, strict=False)
        )
        return ProtectedText("".join(parts), tuple(spans), may_hold_symbols=True)


def merge_over(boundaries: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of a text, those joined that a span lies across; both in the order of the text, without overlap."""
    merged: list[tuple[int, int]] = []
    waiting = deque(spans)
    for begin, end in boundaries:
        while waiting and merged and waiting[0][1] <= merged[-1][1]:
            waiting.popleft()
        if merged and waiting and waiting[0][0] < begin:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return merged


def _without_symbols(text: str) -> str:
    """What looks like a symbol must not be read as one; of the same length, so that offsets stay."""
    return text.replace("⟦", "[").replace("⟧", "]")
