"""Mozilla's language packs: Fluent and .properties files."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from fluent.syntax import FluentParser, ast
from fluent.syntax.serializer import serialize_pattern

from training.corpus.formats.files import MAX_FILE_BYTES

_PROPERTY = re.compile(r"^\s*([^#!\s=:][^=:\s]*)\s*[=:]\s*(.*)$")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def read_language_pack(path: Path) -> dict[str, str]:
    """Strings by file and key of a language pack, a zip archive."""
    strings: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            kind = info.filename.rpartition(".")[2]
            if kind not in ("ftl", "properties") or info.file_size > MAX_FILE_BYTES:
                continue
            text = archive.read(info).decode("utf-8", errors="replace")
            # chrome/ko/locale/ko/… and localization/ko/…: the language's name is no part of the key.
            place = info.filename.rpartition("/locale/")[2] or info.filename
            place = "/".join(place.split("/")[1:] if "/locale/" in info.filename else place.split("/")[2:])
            found = parse_fluent(text) if kind == "ftl" else parse_properties(text)
            strings.update({f"{place}:{key}": value for key, value in found.items()})
    return strings


def parse_fluent(text: str) -> dict[str, str]:
    """Messages and attributes of a Fluent file; those that select between variants are left out."""
    strings: dict[str, str] = {}
    for entry in FluentParser(with_spans=False).parse(text).body:
        if isinstance(entry, ast.Message):
            patterns = [("", entry.value), *((f".{item.id.name}", item.value) for item in entry.attributes)]
            for suffix, pattern in patterns:
                # A key of the keyboard is no text, and often the same letter of another word.
                if isinstance(pattern, ast.Pattern) and _is_plain(pattern) and not suffix.endswith("key"):
                    strings[entry.id.name + suffix] = serialize_pattern(pattern).strip()
    return strings


def parse_properties(text: str) -> dict[str, str]:
    """Keys and values of a Java .properties file."""
    strings = {}
    for line in text.splitlines():
        match = _PROPERTY.match(line)
        if match:
            value = _UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), match[2])
            strings[match[1]] = value.strip()
    return strings


def _is_plain(pattern: ast.Pattern) -> bool:
    return all(
        isinstance(element, ast.TextElement)
        or (isinstance(element, ast.Placeable) and not isinstance(element.expression, ast.SelectExpression))
        for element in pattern.elements
    )
