"""Keys that activate menu items: a letter after & (Qt), _ (GTK) or ~ (LibreOffice)."""

from __future__ import annotations

import re
from collections.abc import Callable

# Korean puts the key in parentheses at the end: "파일(_F)".
_AT_END = re.compile(r"\s*\([&_~][A-Za-z0-9]\)")
_AT_START_OF_WORD = re.compile(r"(?<![&_~\w/.\\=-])(?:&(?=[^\W_])|[_~](?=[^\W\d_])(?!\w*_\w))")
_WITHIN_WORD = re.compile(r"(?<=[^\W_])[&_~](?=[^\W_])")
_UNTOUCHED = re.compile(
    r"""</?[A-Za-z][^<>]*>|(?<!\w)\w+://\S+|[%$][\w{(]\S*|\{[^{}]*\}|(?<![\w.+-])[\w.+-]+@[\w.-]+"""
)


def remove_accelerators(text: str, is_shared: frozenset[str]) -> str:
    """A text of an interface without the marks of its keys; a double && stands for itself.

    Words that both languages share (`is_shared`), such as AT&T and file_name, keep a mark within them.
    """
    if not any(mark in text for mark in "&_~"):
        return text
    text = _outside(_AT_END.sub("", text), lambda part: _AT_START_OF_WORD.sub("", part))
    words = [word for word in text.split() if _WITHIN_WORD.search(word)]
    if len(words) == 1 and words[0] not in is_shared and len(_WITHIN_WORD.findall(words[0])) == 1:
        text = _outside(text, lambda part: _WITHIN_WORD.sub("", part))
    return text.replace("&&", "&")


def shared_words(source: str, target: str) -> frozenset[str]:
    """Words that occur on both sides as they are."""
    return frozenset(source.split()) & frozenset(target.split())


def _outside(text: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for match in _UNTOUCHED.finditer(text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])
