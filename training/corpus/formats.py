"""The file formats that translations come in. Every file is taken as untrusted: sizes bounded, nothing executed."""

from __future__ import annotations

import itertools
import re
import struct
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import polib
from fluent.syntax import FluentParser, ast
from fluent.syntax.serializer import serialize_pattern

from training.corpus.text import Entry

MAX_FILE_BYTES = 64 * 2**20
_PROPERTY = re.compile(r"^\s*([^#!\s=:][^=:\s]*)\s*[=:]\s*(.*)$")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def read_catalogs(directory: Path, language: str) -> Iterator[Entry]:
    """Entries of all gettext catalogs of a language below a directory."""
    for path in sorted(directory.glob(f"**/{language}/LC_MESSAGES/*.mo")):
        for entry in polib.mofile(str(path)):
            yield Entry(entry.msgid, entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr)


def read_pak(path: Path) -> dict[str, str]:
    """Strings by id of a Chromium locale: little-endian header, (id, offset) table, then UTF-8 text."""
    content = _read(path)
    version, encoding, num_resources, _ = struct.unpack_from("<IB3xHH", content, 0)
    if version != 5 or encoding != 1:
        raise ValueError(f"{path}: pak version {version} with encoding {encoding}, expected 5 with UTF-8")
    table = [struct.unpack_from("<HI", content, 12 + 6 * index) for index in range(num_resources + 1)]
    strings = {}
    for (resource, begin), (_, end) in itertools.pairwise(table):
        strings[str(resource)] = content[begin:end].decode("utf-8", errors="replace")
    return strings


def read_language_pack(path: Path) -> dict[str, str]:
    """Strings by file and key of a Mozilla language pack: Fluent and .properties files in a zip archive."""
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
                if isinstance(pattern, ast.Pattern) and _is_plain(pattern):
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


def read_help(directory: Path) -> dict[str, str]:
    """Paragraphs by file and id of a LibreOffice help tree, the directory that holds `text`."""
    paragraphs: dict[str, str] = {}
    for path in sorted(directory.glob("text/**/*.html")):
        parser = _Paragraphs()
        parser.feed(_read(path).decode("utf-8", errors="replace"))
        place = path.relative_to(directory)
        paragraphs.update({f"{place}:{key}": text for key, text in parser.found.items()})
    return paragraphs


def parse_descriptions(text: str, language: str) -> dict[str, list[str]]:
    """Package descriptions by their checksum: the summary, then the paragraphs; lists keep their place as paragraphs.

    Korean descriptions are wrapped between any two characters, so that lines cannot be put together again: paragraphs
    of several lines are left empty.
    """
    found: dict[str, list[str]] = {}
    for stanza in text.split("\n\n"):
        checksum = re.search(r"^Description-md5: (\w+)$", stanza, re.MULTILINE)
        body = re.search(rf"^Description-{language}: (.*)\n((?: .*\n?)*)", stanza + "\n", re.MULTILINE)
        if checksum and body:
            paragraphs = re.split(r"\n \.\n", body[2].rstrip("\n"))
            found[checksum[1]] = [body[1], *(_unwrap(paragraph, language) for paragraph in paragraphs)]
    return found


def pair_up(sources: dict[str, str], targets: dict[str, str]) -> Iterator[Entry]:
    """Entries of the keys that both sides have, in the order of the source."""
    for key, source in sources.items():
        if key in targets:
            yield Entry(source, targets[key])


def _unwrap(paragraph: str, language: str) -> str:
    lines = [line.removeprefix(" ") for line in paragraph.split("\n")]
    if any(line.startswith((" ", "*", "-")) for line in lines) or (language == "ko" and len(lines) > 1):
        return ""
    return " ".join(lines)


def _is_plain(pattern: ast.Pattern) -> bool:
    return all(
        isinstance(element, ast.TextElement)
        or (isinstance(element, ast.Placeable) and not isinstance(element.expression, ast.SelectExpression))
        for element in pattern.elements
    )


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return path.read_bytes()


class _Paragraphs(HTMLParser):
    """Collects the text of every p and heading that has an id."""

    _BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._id: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._BLOCKS:
            self._id, self._text = dict(attrs).get("id"), []

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._BLOCKS and self._id is not None:
            if self._id.startswith(("par_", "hd_")):
                self.found[self._id] = "".join(self._text)
            self._id = None
