"""XML and HTML tags in messages."""

from __future__ import annotations

import re
from collections import Counter

_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)(/?)>")


def tags(text: str) -> list[str]:
    """The tags of a text, in order."""
    return [found.group() for found in _TAG.finditer(text)]


def without_tags(text: str) -> str:
    """The text with a space for each tag."""
    return _TAG.sub(" ", text)


def difference(source: str, target: str) -> str | None:
    """What of the source's tags the target does not keep; None where it keeps all of them, as well nested."""
    kept, found = Counter(tags(source)), Counter(tags(target))
    if kept != found:
        missing, extra = sorted((kept - found).elements()), sorted((found - kept).elements())
        parts = [f"{' '.join(part)} {what}" for part, what in ((missing, "missing"), (extra, "added")) if part]
        return f"tags: {', '.join(parts)}"
    if _is_nested(source) and not _is_nested(target):
        return "tags: not nested"
    bare, bare_target = _TAG.sub("", source), _TAG.sub("", target)
    for character in "<>":
        if bare.count(character) != bare_target.count(character):
            return f"tags: '{character}' missing or added"
    return None


def _is_nested(text: str) -> bool:
    opened: list[str] = []
    for found in _TAG.finditer(text):
        closing, name, _, alone = found.groups()
        if alone:
            continue
        if not closing:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return not opened
