"""Spans of text that must come through untouched, such as placeholders, tags and addresses, as numbered symbols.

The model never reads `%s` or `<b>`: it reads `⟦1⟧`, learns to put it where it belongs, and the text is put back after.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from training.section import NonNegative, Section

# ASCII only where a Korean particle may follow without a space; repetitions of what may overlap are bounded, so that no
# text takes long.
PATTERNS = (
    r"⟦[^⟦⟧]*⟧",  # a symbol that stands in the text itself
    r"""(?:https?|ftp|file)://[!#-&(-;=?-~]*[#-&*+/-9=@-\\^-z|~]""",  # without quotes, < and >; no mark at its end
    r"(?<![A-Za-z0-9.+_-])[A-Za-z0-9.+_-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",  # an e-mail address
    r"</?[A-Za-z][^<>]*>|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);",  # a tag or an entity of XML
    r"`[^`]+`",  # code
    r"%\(\w+\)[-+#0]{0,4}\d{0,3}(?:\.\d{1,3})?[diouxXeEfFgGcrs]",  # Python
    r"%(?:\d{1,2}\$)?[-+#0']{0,4}(?:\d{1,3}|\*)?(?:\.(?:\d{1,3}|\*))?"
    r"(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGcsn@](?![A-Za-z])",  # C
    r"%%|(?<!\d)%L?[1-9]\d?(?!\d)|%[A-Z]{3,}",  # Qt and KDE; LibreOffice
    r"\$\{\w+\}|\$\(\w+\)|\$[A-Za-z_][A-Za-z0-9_]+|\$[1-9](?![\d.,])",  # shells; Chromium and MediaWiki
    r"\{\{[^{}]*\}\}|\{[\w.$:!%-]*\}",  # Python, Java, Fluent
    r"(?<![\w-])--[A-Za-z][A-Za-z0-9-]*",  # a long option
    r"(?<![\w.:/])(?:~|\.\.?)?/[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]*)*[A-Za-z0-9_+-]",  # a path
    r"(?<![A-Za-z0-9])[A-Z]:\\[A-Za-z0-9_.\\-]*[A-Za-z0-9_]",  # a path of Windows
    r"(?<![A-Za-z0-9.-])v?\d{1,4}(?:\.\d{1,4}){2,5}(?![A-Za-z0-9])|(?<!\d)\d{4}-\d\d-\d\d(?!\d)",  # a version, a date
)


class ProtectedSpanSettings(Section, frozen=True):
    """Which spans are read as symbols."""

    num_symbols: NonNegative = 0
    """How many a sentence may hold: ⟦1⟧, ⟦2⟧ and so on; further ones stay text. 0 reads everything as text."""
    patterns: tuple[str, ...] = PATTERNS
    """Regular expressions of spans, the first that matches at a place."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Pieces that the vocabulary must have."""
        return tuple(f"⟦{number}⟧" for number in range(1, self.num_symbols + 1))


@dataclass(frozen=True)
class ProtectedText:
    """A text with symbols in it, and what they stand for."""

    text: str
    spans: dict[str, str]
    """The text of each symbol."""

    def restore(self, translation: str) -> str:
        """The translation with spans in the places of their symbols."""
        return _SYMBOL.sub(lambda match: self.spans.get(match[0], match[0]), translation)


def protect(text: str, settings: ProtectedSpanSettings) -> ProtectedText:
    """Replace a text's spans by symbols, numbered in their order."""
    places = list(_places(text, settings))[: settings.num_symbols]
    symbols = settings.symbols[: len(places)]
    spans = {symbol: text[begin:end] for symbol, (begin, end) in zip(symbols, places, strict=True)}
    return ProtectedText(_replace(text, places, symbols), spans)


def protect_pair(source: str, target: str, settings: ProtectedSpanSettings) -> tuple[str, str]:
    """Replace the spans that both sides have by the same symbols; of equal spans, the n-th is the other side's n-th.

    Numbering begins at a place drawn from the source, so that all symbols are learned.
    """
    if not settings.num_symbols:
        return source, target
    waiting: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for begin, end in _places(target, settings):
        waiting[target[begin:end]].append((begin, end))
    both = []
    for begin, end in _places(source, settings):
        if waiting[source[begin:end]]:
            both.append(((begin, end), waiting[source[begin:end]].pop(0)))
    first = zlib.crc32(source.encode()) % settings.num_symbols
    symbols = (settings.symbols[first:] + settings.symbols[:first])[: len(both)]
    both = both[: len(symbols)]
    in_target = sorted((place, symbol) for (_, place), symbol in zip(both, symbols, strict=True))
    return (
        _replace(source, [place for place, _ in both], symbols),
        _replace(target, [place for place, _ in in_target], tuple(symbol for _, symbol in in_target)),
    )


def _places(text: str, settings: ProtectedSpanSettings) -> Iterator[tuple[int, int]]:
    if settings.num_symbols:
        for match in re.finditer("|".join(settings.patterns), text):
            yield match.span()


def _replace(text: str, places: list[tuple[int, int]], symbols: tuple[str, ...]) -> str:
    parts, end = [], 0
    for (begin, stop), symbol in zip(places, symbols, strict=True):
        parts += [text[end:begin], symbol]
        end = stop
    return "".join([*parts, text[end:]])


_SYMBOL = re.compile(r"⟦\d+⟧")
