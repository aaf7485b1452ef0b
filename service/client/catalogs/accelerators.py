"""Access keys: the letter after _, & or ~ in a label. They are taken out before a text is translated, and put back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from service.client.catalogs.entry import Entry
from service.client.catalogs.language import is_latin

Style = Literal["_", "&", "~"]

_AT_WORD = re.compile(r"(?<![\w&~])([_&~])(?=[^\W_])(?!\w+;)")
_IN_WORD = re.compile(r"(?<=[A-Za-z])([_&~])(?=[a-z])(?!\w+;)")
_IN_PARENTHESES = re.compile(r"\s?\([_&~][A-Za-z0-9]\)")
# What a key in parentheses comes before: 파일 열기(_O)…, 이름(_N):
_END = re.compile(r"\s*(?:\.\.\.|…|:|\.|\?|!)?\s*$")
_MARKUP = re.compile(r"<[^<>]*>|%\S+|\{[^{}]*\}|&\w+;|\$\w+")
_LONGEST_LABEL = 60


@dataclass(frozen=True)
class Label:
    """A text without its access key."""

    text: str
    mark: str = ""
    """The character before the key; empty: the text has no key."""
    key: str = ""
    """The letter, as the source has it."""


def style_of(entries: Sequence[Entry], declared: str | None) -> frozenset[str]:
    """The marks that a catalog uses.

    Args:
        entries: of the catalog.
        declared: what its header says; None: those that stand before words in at least two labels, or in the only one.
    """
    if declared:
        return frozenset(declared)
    marks = [found[0] for entry in entries if (found := _places(entry.source, frozenset("_&~"), _AT_WORD))]
    return frozenset(mark for mark in "_&~" if marks.count(mark) >= min(2, len(entries)))


def taken_out(source: str, marks: frozenset[str]) -> Label:
    """The text without its access key; unchanged where it has none, or several characters that could mark it."""
    if len(source) > _LONGEST_LABEL or "\n" in source:
        return Label(source)
    found = [match for match in _AT_WORD.finditer(source) if match[1] in marks]
    if not found and source[:1].isupper():
        found = [match for match in _IN_WORD.finditer(source) if match[1] in marks]
    if len(found) != 1 or source.count(found[0][1]) != 1:
        return Label(source)
    place = found[0].start()
    return Label(source[:place] + source[place + 1 :], found[0][1], source[place + 1])


def put_back(translation: str, label: Label, language: str) -> str:
    """The translation with the access key: on a letter of it, the source's where it has it, in Latin script; else in
    parentheses at the end: 파일(_F)."""
    if not label.mark:
        return translation
    if is_latin(language):
        place = _place_for(translation, label.key)
        if place is not None:
            return translation[:place] + label.mark + translation[place:]
    end = _END.search(translation)
    cut = end.start() if end is not None else len(translation)
    return f"{translation[:cut]}({label.mark}{label.key.upper()}){translation[cut:]}"


def without_key(translation: str, marks: frozenset[str]) -> str:
    """A person's translation without its access key."""
    bare = _IN_PARENTHESES.sub("", translation)
    return taken_out(bare, marks).text if bare == translation else bare


def _places(source: str, marks: frozenset[str], pattern: re.Pattern[str]) -> list[str]:
    if len(source) > _LONGEST_LABEL:
        return []
    return [match[1] for match in pattern.finditer(source) if match[1] in marks]


def _place_for(translation: str, key: str) -> int | None:
    hidden = _MARKUP.sub(lambda found: "\0" * len(found.group()), translation)
    folded = hidden.lower() if len(hidden.lower()) == len(hidden) else hidden
    beginnings = [found.start() for found in re.finditer(r"\b[^\W_]", folded)]
    wanted = key.lower()
    first = [place for place in beginnings if folded[place] == wanted]
    inside = [place for place, character in enumerate(folded) if character == wanted]
    return next(iter([*first, *inside, *beginnings]), None)
