"""From strings of programs to sentences: marks of programming removed, mistranslations told apart."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter

from training.corpus.text import Entry

MAX_CHARACTERS = 1000
MAX_LENGTH_RATIO = 5.0
MIN_RATIO_BYTES = 30

# A letter after & _ or ~ is the key that activates a menu item: "_File", "Save &As", "~Edit". Korean puts it in
# parentheses at the end: "파일(_F)". A double mark stands for itself.
_ACCELERATOR_AT_END = re.compile(r"\s*\([&_~][A-Za-z0-9]\)")
_ACCELERATOR = re.compile(r"(?<![&_~\w])[&_~](?=[^\W_])|(?<=[^\W_])[&~](?=[^\W_])")
_PLACEHOLDER = re.compile(
    r"%(?:\d+\$)?[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?[diouxXeEfgGcs](?![A-Za-z0-9])"
    r"|%\(\w+\)[sd]|%[1-9](?!\d)|%[A-Z]{3,}|\$[1-9]|\$\{?[A-Za-z_]\w+\}?|\{\{?\s*\$?[\w.-]*\s*\}?\}"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_SCRIPTS = {"ko": "HANGUL"}


def clean(entry: Entry) -> Entry:
    """Without accelerator keys, tags, entities, escapes and stray white space."""
    return Entry(clean_text(entry.source), clean_text(entry.target))


def clean_text(text: str) -> str:
    """One side of an entry."""
    text = text.replace("\\n", " ").replace("\\t", " ").replace('\\"', '"')
    text = _TAG.sub(" ", text)
    text = html.unescape(text)
    text = _ACCELERATOR.sub("", _ACCELERATOR_AT_END.sub("", text))
    text = unicodedata.normalize("NFC", text)
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(visible.split())


def fault(entry: Entry, language: str) -> str | None:
    """Why a cleaned entry is no translation to learn from, or None."""
    source, target = entry.source, entry.target
    if not source or not target:
        return "empty"
    if max(len(source), len(target)) > MAX_CHARACTERS:
        return "too long"
    if source == target:
        return "identical"
    if not any(character.isalpha() for character in source):
        return "no letters"
    script = _SCRIPTS.get(language)
    if script and not any(unicodedata.name(character, "").startswith(script) for character in target):
        return "script"
    longer, shorter = sorted((len(source.encode()), len(target.encode())), reverse=True)
    if longer > MIN_RATIO_BYTES and longer > MAX_LENGTH_RATIO * shorter:
        return "length ratio"
    if placeholders(source) != placeholders(target):
        return "placeholders"
    return None


def placeholders(text: str) -> Counter[str]:
    """What a program fills in, such as %s, {name}, $1, %PRODUCTNAME, with how often each occurs."""
    return Counter(match.replace(" ", "") for match in _PLACEHOLDER.findall(text))


def duplicate_key(source: str) -> str:
    """Equal for sources that differ in case, white space or a final mark only."""
    return "".join(source.casefold().split()).rstrip(".:…")
