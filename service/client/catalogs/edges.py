"""How a message begins and ends: white space and punctuation that a translation must share with its source."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.client.catalogs.language import base, is_latin

_SPACE = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)
_WRAPPED = re.compile(r"(?<=[^\n]{40})\n(?=[a-z(\"'“‘%<])")
_ENDINGS = ("...", "…", ":", ".", "?", "!", "。", "：", "？", "！", ",", ";")
_SAME = {"。": ".", "：": ":", "？": "?", "！": "!", "...": "…"}


@dataclass(frozen=True)
class Framed:
    """A text between its white space."""

    before: str
    text: str
    after: str


def framed(source: str) -> Framed:
    """A text apart from the white space around it."""
    found = _SPACE.fullmatch(source)
    assert found is not None
    return Framed(*found.groups())


def unwrapped(text: str) -> str:
    """With a space for line breaks inside sentences, such as those of messages written for a terminal."""
    return _WRAPPED.sub(" ", text)


def ending(text: str) -> str:
    """The punctuation at the end, one of `:`, `.`, `?`, `!`, `…`, `...`, `,`, `;` and their wide forms, or nothing."""
    return next((mark for mark in _ENDINGS if text.endswith(mark)), "")


def with_ellipses_of(source: str, translation: str) -> str:
    """The translation with ellipses as the source writes them: `…` or `...`."""
    if "…" in source and "..." not in source:
        return translation.replace("...", "…")
    if "..." in source and "…" not in source:
        return translation.replace("…", "...")
    return translation


def with_ending_of(source: str, translation: str, language: str) -> str:
    """The translation with the source's final punctuation."""
    wanted, has = ending(source), ending(translation)
    if _SAME.get(wanted, wanted) == _SAME.get(has, has):
        inner = translation[: len(translation) - len(has)]
        # Two marks where the source has one: 추출.…
        is_doubled = bool(has) and bool(ending(inner)) and not ending(source[: len(source) - len(wanted)])
        return inner[: len(inner) - len(ending(inner))].rstrip() + has if is_doubled else translation
    if has and (wanted or has in (".", "。", ":", "…", "...", "：")):
        translation = translation[: len(translation) - len(has)].rstrip()
    if not wanted or not translation:
        return translation
    if base(language) == "fr" and wanted in (":", "?", "!", ";"):
        return f"{translation}\u00a0{wanted}"
    if base(language) in ("ja", "zh") and not is_latin(language) and wanted == ".":
        return f"{translation}。"
    return translation + wanted
