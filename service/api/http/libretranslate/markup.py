"""HTML as texts to translate: tags and what must not be translated stay, whatever a model does with them.

A document is cut at what ends a paragraph. Tags within a paragraph are left in its text, where models that know
protected spans put them into the right places; so are the marks that stand for what must stay within a sentence.
`Paragraph.is_whole` tells whether they did, and where they did not `parts` can be translated one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from service.api.http.libretranslate.elements import EMPTY, INLINE, TAG, Cut, cuts

_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_KEPT = frozenset("<>&\N{NO-BREAK SPACE}")
_MARK = re.compile(r"<kept(\d{1,6})/>")
MAX_UNWRAPPED = 4
"""Elements, one in another, that are taken off a text."""


@dataclass(frozen=True)
class Paragraph:
    """What is translated at once: `before` and `after` stay as they are."""

    before: str
    text: str
    after: str
    kept: tuple[str, ...] = ()
    """What the marks in the text stand for, in order."""

    def is_whole(self, translation: str) -> bool:
        """Whether it has the tags of the text, each as often, and every one is closed that was opened."""
        tags = [match[0] for match in TAG.finditer(translation)]
        return Counter(tags) == Counter(match[0] for match in TAG.finditer(self.text)) and _is_nested(tags)

    def parts(self) -> list[Paragraph]:
        """The texts between its tags."""
        return list(_between(self.text, [Cut(match.start(), match.end()) for match in TAG.finditer(self.text)]))

    def with_translation(self, translation: str) -> str:
        """The paragraph with a translation that is whole, or made of its parts."""
        filled = _MARK.sub(lambda mark: self.kept[int(mark[1])], translation) if self.kept else translation
        return self.before + filled + self.after


def paragraphs(html: str) -> list[Paragraph]:
    """A document's paragraphs; put together (`before`, `text`, `after`) they are the document, references resolved."""
    found = list(cuts(html))
    if _MARK.search(html):  # whoever has our marks gets none
        found = [Cut(cut.begin, cut.end) for cut in found]
    return list(_between(html, found))


def joined(parts: Sequence[Paragraph], translations: Sequence[str]) -> str:
    """The document, or the paragraph, from its translated parts; `translations` are of those with a text."""
    waiting = iter(translations)
    return "".join(part.with_translation(next(waiting) if part.text else "") for part in parts)


def _between(text: str, found: Sequence[Cut]) -> Iterator[Paragraph]:
    begin = 0
    kept: list[Cut] = []
    for cut in (*found, Cut(len(text), len(text))):
        if cut.is_inline:
            kept.append(cut)
            continue
        yield _paragraph(text, begin, cut, kept)
        begin, kept = cut.end, []


def _paragraph(text: str, begin: int, end: Cut, kept: Sequence[Cut]) -> Paragraph:
    inner, after = text[begin : end.begin], text[end.begin : end.end]
    marked = _marked(text, begin, end.begin, kept)
    content = marked.strip()
    if not any(character.isalpha() for character in TAG.sub("", _REFERENCE.sub("", content))):
        return Paragraph(inner, "", after)
    left = marked[: len(marked) - len(marked.lstrip())]
    right = marked[len(left) + len(content) :]
    first, middle, last = _unwrapped(_readable(content))
    return Paragraph(left + first, middle, last + right + after, tuple(text[one.begin : one.end] for one in kept))


def _marked(text: str, begin: int, end: int, kept: Sequence[Cut]) -> str:
    pieces = []
    for index, cut in enumerate(kept):
        pieces += [text[begin : cut.begin], f"<kept{index}/>"]
        begin = cut.end
    return "".join((*pieces, text[begin:end]))


def _readable(text: str) -> str:
    """Without references that stand for characters which mean nothing in HTML, and on one line."""
    text = _REFERENCE.sub(lambda match: match[0] if unescape(match[0]) in _KEPT else unescape(match[0]), text)
    return re.sub(r"[ \t\r\n\f]+", " ", text)


def _unwrapped(text: str) -> tuple[str, str, str]:
    """Elements around the whole text, apart from it."""
    first = last = ""
    for _ in range(MAX_UNWRAPPED):
        opening = TAG.match(text)
        if opening is None or opening[1].lower() not in INLINE - EMPTY or not text.endswith(f"</{opening[1]}>"):
            break
        closing = f"</{opening[1]}>"
        inner = text[opening.end() : -len(closing)]
        if inner != inner.strip() or not _is_nested([match[0] for match in TAG.finditer(inner)]):
            break
        first, text, last = first + opening[0], inner, closing + last
    return first, text, last


def _is_nested(tags: Sequence[str]) -> bool:
    open_names: list[str] = []
    for tag in tags:
        match = TAG.fullmatch(tag)
        assert match is not None
        name = match[1].lower()
        if tag.endswith("/>") or name in EMPTY:
            continue
        if not tag.startswith("</"):
            open_names.append(name)
        elif not open_names or open_names.pop() != name:
            return False
    return not open_names
