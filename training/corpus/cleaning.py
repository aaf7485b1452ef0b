"""From strings of programs to sentences: marks of programming removed, mistranslations told apart."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from training.corpus.accelerators import remove_accelerators, shared_words
from training.corpus.language_identification import is_another_language
from training.corpus.markup import TAG, keep_or_strip_tags
from training.corpus.text import Entry

MAX_CHARACTERS = 1000
MIN_RATIO_BYTES = 30
MAX_LENGTH_RATIO = 5.0
LONG_BYTES = 100
MAX_LENGTH_RATIO_OF_LONG = 3.0
MAX_CREDITS_CHARACTERS = 80
MIN_SHARE_OF_LETTERS = 0.5
"""Of the visible characters of a source that are not placeholders, tags or digits."""
MIN_SHARE_OF_SCRIPT = 0.2
"""Of a target's letters; names and commands stay in Latin script in Korean text."""

_PLACEHOLDER = re.compile(
    r"%(?:\d{1,2}\$)?[-+ #0]{0,4}\d{0,3}(?:\.\d{1,3})?(?:hh|h|ll|l|z)?[diouxXeEfgGcs](?![A-Za-z0-9])"
    r"|%\(\w+\)[sd]|%[1-9](?!\d)|%[A-Z]{3,}|\$[1-9]|\$\{?[A-Za-z_]\w+\}?|\{\{?\s*\$?[\w.-]*\s*\}?\}"
)
_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]+")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]+")
_NO_WORD = re.compile(r"[\W_]+")
_CREDITS = re.compile(
    r"translator.credits|your (?:names?|emails?)$|(?:names?|emails?) of translators|translated by"
    r"|launchpad contributions",
    re.IGNORECASE,
)


def clean(entry: Entry, is_interface: bool = True) -> Entry:
    """Without escapes, stray white space, entities, tags that one side lacks; in an interface without accelerators."""
    entry = keep_or_strip_tags(Entry(_without_escapes(entry.source), _without_escapes(entry.target)))
    source, target = _normalise(entry.source), _normalise(entry.target)
    if is_interface:
        shared = shared_words(source, target)
        source, target = remove_accelerators(source, shared), remove_accelerators(target, shared)
    return Entry(source.strip(), target.strip())


def fault(entry: Entry, language: str) -> str | None:
    """Why a cleaned entry is no translation to learn from, or None."""
    source, target = entry.source, entry.target
    if not source or not target:
        return "empty"
    if max(len(source), len(target)) > MAX_CHARACTERS:
        return "too long"
    if source == target:
        return "identical"
    if len(source) < MAX_CREDITS_CHARACTERS and _CREDITS.search(source):
        return "credits"
    return (
        _fault_of_letters(source, target, language)
        or _fault_of_length(source, target)
        or _fault_of_language(source, target, language)
    )


def placeholders(text: str) -> Counter[str]:
    """What a program fills in, such as %s, {name}, $1, %PRODUCTNAME, with how often each occurs."""
    return Counter(match.replace(" ", "") for match in _PLACEHOLDER.findall(text))


def duplicate_key(source: str) -> str:
    """Equal for sources that differ in case, white space or a final mark only."""
    return "".join(source.casefold().split()).rstrip(".:…")


def template(source: str) -> str:
    """Equal for sources that differ in numbers, placeholders, case, punctuation and white space only."""
    text = re.sub(r"\d+", "0", _plain(source, "0").casefold())
    return _NO_WORD.sub("", text)


def _without_escapes(text: str) -> str:
    return text.replace("\\n", " ").replace("\\t", " ").replace('\\"', '"')


def _normalise(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(text.split())


def _fault_of_letters(source: str, target: str, language: str) -> str | None:
    if not any(character.isalpha() for character in source):
        return "no letters"
    plain = _plain(source)
    num_letters = sum(map(str.isalpha, plain))
    num_others = len(plain) - num_letters - sum(map(str.isspace, plain)) - sum(map(str.isdigit, plain))
    if num_letters and num_letters < MIN_SHARE_OF_LETTERS * (num_letters + num_others):
        return "symbols"
    if _share(_LATIN, plain) < 1 - MIN_SHARE_OF_SCRIPT:
        return "script"
    share = _share(_HANGUL if language == "ko" else _LATIN, _plain(target))
    return "script" if share < MIN_SHARE_OF_SCRIPT else None


def _fault_of_length(source: str, target: str) -> str | None:
    longer, shorter = sorted((len(source.encode()), len(target.encode())), reverse=True)
    limit = MAX_LENGTH_RATIO_OF_LONG if longer > LONG_BYTES else MAX_LENGTH_RATIO
    return "length ratio" if longer > MIN_RATIO_BYTES and longer > limit * shorter else None


def _fault_of_language(source: str, target: str, language: str) -> str | None:
    if any(mark in source + target for mark in "%${") and placeholders(source) != placeholders(target):
        return "placeholders"
    if is_another_language(_plain(target), language) or is_another_language(_plain(source), "en"):
        return "language"
    return None


def _plain(text: str, placeholder: str = " ") -> str:
    if "<" in text:
        text = TAG.sub(" ", text)
    return _PLACEHOLDER.sub(placeholder, text) if any(mark in text for mark in "%${") else text


def _share(script: re.Pattern[str], text: str) -> float:
    """How many of a text's letters are of a script; of no letters, all are Latin and none is Hangul."""
    if script is _LATIN and max(text, default="") < "\u0250":
        return 1.0
    num_letters = sum(map(str.isalpha, text))
    return min(1.0, sum(map(len, script.findall(text))) / num_letters) if num_letters else float(script is _LATIN)
