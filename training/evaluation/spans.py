"""What a translation must carry over as it is: placeholders, tags, addresses, numbers, …"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

# All of it is ASCII: in Korean a particle follows without a space.
_WORD = "[A-Za-z0-9_]"
_PATTERNS = {
    "url": r"\b(?:https?|ftp)://[A-Za-z0-9_.~:/?#@!$&*+,;=%{}-]*[A-Za-z0-9_/}]",
    "e-mail": rf"(?<![A-Za-z0-9_.+-]){_WORD}[A-Za-z0-9_.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    "code": r"`[^`]+`",
    "tag": r"</?[A-Za-z][^<>]*>",
    "entity": r"&(?:[a-z]+|#\d+|#x[0-9a-fA-F]+);",
    "placeholder": (
        r"%\([A-Za-z_]\w*\)[sdif]|(?<!\d)%(?:\d{1,2}\$)?[-+#0]{0,4}\d{0,3}(?:\.\d{1,3})?(?:hh|h|ll|l|z)?[diouxXeEfgGcs](?![A-Za-z])"
        rf"|%%|%[1-9](?!\d)|%[A-Z]{{3,}}|\$\{{?[A-Za-z_]{_WORD}*\}}?|\$[1-9]|\{{\{{?\s*[A-Za-z0-9_.:]*\s*\}}?\}}"
    ),
    "path": (
        r"(?<![A-Za-z0-9_<.])(?:~|\.{1,2})?/(?:[A-Za-z0-9_.*-]+/)*[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_]+)*/?"
        r"|\b[A-Z]:\\[A-Za-z0-9_.\\-]*[A-Za-z0-9_]"
        rf"|\b{_WORD}[A-Za-z0-9_-]*\.(?:json|ya?ml|txt|log|conf|cfg|ini|xml|html|csv|py|sh|md|png|jpe?g|pdf|zip|tar\.gz)\b"
    ),
    "option": r"(?<![A-Za-z0-9-])--?[a-z][a-z0-9-]*",
    "key": r"\b(?:Ctrl|Alt|Shift|Cmd)(?:\+(?:Shift|Alt))?\+[A-Z][a-z]*|\bF1?\d\b",
    "version": r"\bv?\d+(?:\.\d+){2,}(?:-[a-z]+[.\d]*)?|\bv\d+(?:\.\d+)*",
    "date": r"\d{4}-\d{2}-\d{2}(?:T[\d:]+Z?)?|\b\d{1,2}:\d{2}(?::\d{2})?",
    "number": r"\d+(?:[.,]\d+)*",
}
KINDS = tuple(_PATTERNS)
"""The first that matches at a place decides of what kind it is."""
_ANY = re.compile(
    "|".join(f"(?P<kind{number}>{pattern})" for number, pattern in enumerate(_PATTERNS.values())), re.ASCII
)


@dataclass(frozen=True)
class Span:
    """A part of a text that is carried over as it is."""

    kind: str
    begin: int
    end: int
    text: str


def spans(text: str) -> Iterator[Span]:
    """The spans of a text, in order, without overlap."""
    for match in _ANY.finditer(text):
        assert match.lastgroup is not None
        kind = KINDS[int(match.lastgroup.removeprefix("kind"))]
        yield Span(kind, match.start(), match.end(), match.group())


def count_spans(text: str) -> dict[str, Counter[str]]:
    """How often each span occurs, by kind; kinds that do not occur are left out."""
    found: dict[str, Counter[str]] = {}
    for span in spans(text):
        found.setdefault(span.kind, Counter())[span.text] += 1
    return found
