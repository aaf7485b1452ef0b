"""What a translation must pass before it is written."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection

from service.client.catalogs import placeholders, tags
from service.client.catalogs.language import is_latin
from service.words import FIRST_UNSPACED

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_STUTTER = re.compile(r"([^\W\d_].{1,40}?)\1{3,}")
_UNKNOWN = "\u2047"
"""What SentencePiece writes for a token outside the vocabulary."""
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]+")
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"), ("“", "”"), ("«", "»"))
_MOST_REPEATS = 3
_LONGEST_RATIO, _LONGEST_EXTRA = 3.0, 20
_FEW_WORDS = 2


def problem(source: str, target: str, flags: Collection[str], language: str) -> str | None:
    """Why a translation must not be written; None where nothing is wrong.

    Args:
        source: the message, as it stands in the catalog.
        target: what would be written.
        flags: formats of its placeholders.
        language: BCP-47 code of the target.
    """
    if not target.strip():
        return "empty"
    if _UNKNOWN in target and _UNKNOWN not in source:
        return "unknown characters"
    if (found := _edges(source, target)) is not None:
        return found
    if (found := placeholders.difference(source, target, flags)) is not None:
        return found
    if (found := tags.difference(source, target)) is not None:
        return found
    return _content(source, target, language)


def is_balanced(text: str) -> bool:
    """Whether quotes and brackets are closed as often as they are opened, in whatever order."""
    pairs = all(text.count(opening) == text.count(closing) for opening, closing in _PAIRS)
    return pairs and text.count('"') % 2 == 0


def has_words(text: str) -> bool:
    """Whether anything in a text is to be translated."""
    return _WORD.search(tags.without_tags(placeholders.without_placeholders(text))) is not None


def _edges(source: str, target: str) -> str | None:
    for name, begins in (("begins", str.startswith), ("ends", str.endswith)):
        if begins(source, "\n") != begins(target, "\n"):
            return f"only one side {name} with a line break"
    controls = [character for character in target if unicodedata.category(character) == "Cc"]
    if not set(controls) <= set(source):
        return "control characters added"
    return None


def _content(source: str, target: str, language: str) -> str | None:
    words = _words(source)
    if len(target) > _LONGEST_RATIO * len(source) + _LONGEST_EXTRA:
        return "far longer than the source"
    if _repeats(target) > max(_MOST_REPEATS, _repeats(source)) or (
        _STUTTER.search(target) and not _STUTTER.search(source)
    ):
        return "repeats itself"
    kept = Counter(_NUMBER.findall(tags.without_tags(placeholders.without_placeholders(source))))
    found = Counter(_NUMBER.findall(tags.without_tags(placeholders.without_placeholders(target))))
    if kept != found:
        return f"numbers: {' '.join(kept.elements()) or 'none'} became {' '.join(found.elements()) or 'none'}"
    if is_balanced(source) and not is_balanced(target):
        return "quotes or brackets left open"
    lower = [word for word in words if word.islower()]
    if target.strip() == source.strip() and len(lower) >= _FEW_WORDS:
        return "not translated"
    if not is_latin(language) and (found_letters := _stray_letters(source, target)):
        return f"Latin letters of no word in the source: {found_letters}"
    if not is_latin(language) and len(lower) >= _FEW_WORDS and not any(ord(character) > 0x24F for character in target):
        return "not translated"
    return None


def _stray_letters(source: str, target: str) -> str:
    """Remains of words that a model could neither translate nor copy; abbreviations in capitals are taken for words."""
    folded = source.casefold()
    for found in _LATIN.finditer(tags.without_tags(placeholders.without_placeholders(target))):
        letters = found.group()
        is_glued = len(letters) == 1 and found.start() > 0 and found.string[found.start() - 1] >= FIRST_UNSPACED
        if not letters.isupper() and (is_glued or letters.casefold() not in folded):
            return letters
    return ""


def _words(text: str) -> list[str]:
    return _WORD.findall(tags.without_tags(placeholders.without_placeholders(text)))


def _repeats(text: str) -> int:
    """Times that the same one to four words stand one after another, at most."""
    words = text.split()
    most = 1 if words else 0
    for size in range(1, 5):
        run = 0
        for place in range(size, len(words)):
            run = run + 1 if words[place] == words[place - size] else 0
            most = max(most, 1 + run // size)
    return most
