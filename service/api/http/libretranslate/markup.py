"""HTML as texts to translate: tags and what must not be translated stay, whatever a model does with them.

A document is cut at what ends a paragraph. Tags within a paragraph are left in its text, where models that know
protected spans put them into the right places; `Paragraph.is_whole` tells whether they did, and where they did not
`parts` can be translated one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(r"""</?([A-Za-z][A-Za-z0-9:-]*+)(?:[^<>"']|"[^"]*+"|'[^']*+')*+>""")
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_KEPT = frozenset("<>&\N{NO-BREAK SPACE}")
_NOT_TRANSLATED = re.compile(r"""\stranslate\s*=\s*["']?no\b|\sclass\s*=\s*["'][^"']*\bnotranslate\b""", re.IGNORECASE)
_OPAQUE = frozenset({"code", "kbd", "math", "pre", "samp", "script", "style", "svg", "template", "textarea", "var"})
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "del", "dfn", "em", "font", "i", "img", "ins", "mark"}
    | {"q", "s", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "wbr"}
)
_EMPTY = frozenset({"img", "wbr"})
MAX_UNWRAPPED = 4
"""Elements, one in another, that are taken off a text."""


@dataclass(frozen=True)
class Paragraph:
    """What is translated at once: `before` and `after` stay as they are."""

    before: str
    text: str
    after: str

    def is_whole(self, translation: str) -> bool:
        """Whether it has the tags of the text, each as often, and every one is closed that was opened."""
        tags = [match[0] for match in _TAG.finditer(translation)]
        return Counter(tags) == Counter(match[0] for match in _TAG.finditer(self.text)) and _is_nested(tags)

    def parts(self) -> list[Paragraph]:
        """The texts between its tags."""
        return list(_between(self.text, [(match.start(), match.end()) for match in _TAG.finditer(self.text)]))


def paragraphs(html: str) -> list[Paragraph]:
    """A document's paragraphs; put together (`before`, `text`, `after`) they are the document, references resolved."""
    return list(_between(html, list(_cuts(html))))


def joined(parts: Sequence[Paragraph], translations: Sequence[str]) -> str:
    """The document, or the paragraph, from its translated parts; `translations` are of those with a text."""
    waiting = iter(translations)
    return "".join(part.before + (next(waiting) if part.text else "") + part.after for part in parts)


def _between(text: str, cuts: Sequence[tuple[int, int]]) -> Iterator[Paragraph]:
    begin = 0
    for start, end in (*cuts, (len(text), len(text))):
        inner = text[begin:start]
        content = inner.strip()
        left = inner[: len(inner) - len(inner.lstrip())] if content else inner
        right = inner[len(left) + len(content) :]
        if any(character.isalpha() for character in _TAG.sub("", _REFERENCE.sub("", content))):
            first, middle, last = _unwrapped(_readable(content))
            yield Paragraph(left + first, middle, last + right + text[start:end])
        else:
            yield Paragraph(inner, "", text[start:end])
        begin = end


def _cuts(html: str) -> Iterator[tuple[int, int]]:
    """Places of what is no text and belongs to none: comments, elements that stay, tags that end a paragraph."""
    position = html.find("<")
    while position >= 0:
        end, is_inline = _end_of_markup(html, position)
        if not is_inline:
            yield position, end
        position = html.find("<", end)


def _end_of_markup(html: str, begin: int) -> tuple[int, bool]:
    """Where the markup ends that begins at a `<`, and whether it is part of a text."""
    if html.startswith("<!--", begin):
        return _after(html, "-->", begin + 4), False
    if html.startswith(("<!", "<?"), begin):
        return _after(html, ">", begin), False
    tag = _TAG.match(html, begin)
    if tag is None:
        return begin + 1, True  # a character like any other
    name = tag[1].lower()
    is_opening = not tag[0].startswith("</") and not tag[0].endswith("/>")
    if is_opening and name not in _EMPTY and (name in _OPAQUE or _NOT_TRANSLATED.search(tag[0])):
        return _end_of_element(html, name, tag.end()), False
    return tag.end(), name in _INLINE


def _end_of_element(html: str, name: str, begin: int) -> int:
    """After its closing tag; elements of the same name may be inside."""
    depth = 1
    for match in re.finditer(rf"<(/?){re.escape(name)}\b[^<>]*+>", html[begin:], re.IGNORECASE):
        depth += -1 if match[1] else 1
        if not depth:
            return begin + match.end()
    return len(html)


def _after(html: str, mark: str, begin: int) -> int:
    found = html.find(mark, begin)
    return len(html) if found < 0 else found + len(mark)


def _readable(text: str) -> str:
    """Without references that stand for characters which mean nothing in HTML, and on one line."""
    text = _REFERENCE.sub(lambda match: match[0] if unescape(match[0]) in _KEPT else unescape(match[0]), text)
    return re.sub(r"[ \t\r\n\f]+", " ", text)


def _unwrapped(text: str) -> tuple[str, str, str]:
    """Elements around the whole text, apart from it."""
    first = last = ""
    for _ in range(MAX_UNWRAPPED):
        opening = _TAG.match(text)
        if opening is None or opening[1].lower() not in _INLINE - _EMPTY or not text.endswith(f"</{opening[1]}>"):
            break
        closing = f"</{opening[1]}>"
        inner = text[opening.end() : -len(closing)]
        if inner != inner.strip() or not _is_nested([match[0] for match in _TAG.finditer(inner)]):
            break
        first, text, last = first + opening[0], inner, closing + last
    return first, text, last


def _is_nested(tags: Sequence[str]) -> bool:
    open_names: list[str] = []
    for tag in tags:
        match = _TAG.fullmatch(tag)
        assert match is not None
        name = match[1].lower()
        if tag.endswith("/>") or name in _EMPTY:
            continue
        if not tag.startswith("</"):
            open_names.append(name)
        elif not open_names or open_names.pop() != name:
            return False
    return not open_names
