"""Tags and entities of XML and HTML in a text."""

from __future__ import annotations

import html
import re
from collections import Counter

from training.corpus.text import Entry

TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_NAME = re.compile(r"</?([A-Za-z][\w:-]*)")
# With its semicolon: HTML knows some without, and "Fi&lter" would become "Fi<er".
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")
_COMMON = re.compile(
    r"(?:[abipu]|br|em|hr|li|ol|tt|ul|big|code|div|kbd|pre|qt|small|span|strong|sub|sup|emph)$", re.IGNORECASE
)


def keep_or_strip_tags(entry: Entry) -> Entry:
    """Tags stay where both sides have the same ones; else those that are markup leave both sides.

    `<file>` that is never closed may be a word of a usage line: it stays.
    """
    if not any(mark in entry.source + entry.target for mark in "<&"):
        return entry
    if tags(entry.source) == tags(entry.target):
        return Entry(_outside_tags(entry.source), _outside_tags(entry.target))
    return Entry(_without_entities(_strip(entry.source)), _without_entities(_strip(entry.target)))


def tags(text: str) -> Counter[str]:
    """The tags of a text with how often each occurs, whatever white space they hold."""
    return Counter(" ".join(tag.split()) for tag in TAG.findall(text))


def _outside_tags(text: str) -> str:
    parts, end = [], 0
    for match in TAG.finditer(text):
        parts += [_without_entities(text[end : match.start()]), " ".join(match[0].split())]
        end = match.end()
    return "".join([*parts, _without_entities(text[end:])])


def _without_entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


def _strip(text: str) -> str:
    closed = {name[1] for name in re.finditer(r"</([A-Za-z][\w:-]*)\s*>", text)}

    def replace(match: re.Match[str]) -> str:
        tag = match[0]
        name = _NAME.match(tag)
        assert name is not None
        is_markup = name[1] in closed or _COMMON.match(name[1]) or tag.endswith("/>") or "=" in tag
        if not is_markup:
            return tag
        return " " if name[1].lower() in ("br", "p", "li", "hr", "div") else ""

    return TAG.sub(replace, text)
