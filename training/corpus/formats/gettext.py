"""gettext catalogs: .mo of programs that are installed, .po of source packages."""

from __future__ import annotations

import codecs
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polib

from training.corpus.formats.files import MAX_FILE_BYTES, read
from training.corpus.text import Entry

REGIONS = {"ko": "KR", "de": "DE", "fr": "FR", "es": "ES"}
_MAGIC = 0x950412DE
_CHARSET = re.compile(rb"charset=([\w-]+)")


def read_catalogs(directory: Path, language: str) -> Iterator[Entry]:
    """Entries of all .mo catalogs of a language below a directory: …/ko/…, …/ko_KR/…, …-ko_KR.mo, or in locales.zip."""
    code = f"{language}(?:_{REGIONS[language]})?"
    is_wanted = re.compile(rf"/{code}/|[/._-]{code}\.mo$")
    for path in sorted([*directory.glob("**/*.mo"), *directory.glob("**/locales.zip")]):
        place = path.relative_to(directory).as_posix()
        if path.suffix == ".mo" and is_wanted.search("/" + place) and "@" not in place:
            yield from parse_mo(read(path), place)
        elif path.suffix == ".zip":
            yield from _read_packed(path, is_wanted)


def parse_mo(content: bytes, name: str) -> Iterator[Entry]:
    """Entries of a compiled catalog, singular and plural apart.

    Raises:
        ValueError: it is none.
    """
    order = next((order for order in "<>" if content[:4] == struct.pack(f"{order}I", _MAGIC)), None)
    if order is None or len(content) < 20:
        raise ValueError(f"{name} is no gettext catalog")
    num_strings, sources, targets = struct.unpack_from(f"{order}III", content, 8)
    if max(sources, targets) + 8 * num_strings > len(content):
        raise ValueError(f"{name} ends within its tables")
    charset = "utf-8"
    for index in range(num_strings):
        source, target = (
            content[begin : begin + length]
            for length, begin in (
                struct.unpack_from(f"{order}II", content, table + 8 * index) for table in (sources, targets)
            )
        )
        if not source:
            charset = _charset(target)
        else:
            yield from _entries(source, target, charset)


def read_po(path: Path) -> Iterator[Entry]:
    """Entries of a .po file that are translated, and not marked as doubtful or obsolete."""
    for entry in polib.pofile(str(path)):
        if entry.translated() and not entry.obsolete:
            if entry.msgid_plural:
                yield Entry(entry.msgid, entry.msgstr_plural[0])
                yield Entry(entry.msgid_plural, entry.msgstr_plural[min(1, len(entry.msgstr_plural) - 1)])
            else:
                yield Entry(entry.msgid, entry.msgstr)


def _read_packed(path: Path, is_wanted: re.Pattern[str]) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.filename.endswith(".mo") and is_wanted.search("/" + info.filename):
                if info.file_size > MAX_FILE_BYTES:
                    raise ValueError(f"{info.filename} in {path} is larger than {MAX_FILE_BYTES} bytes")
                yield from parse_mo(archive.read(info), info.filename)


def _charset(header: bytes) -> str:
    """What a catalog's header declares; UTF-8 where that is nothing known, such as the CHARSET of a template."""
    declared = _CHARSET.search(header)
    try:
        return codecs.lookup(declared[1].decode()).name if declared else "utf-8"
    except LookupError:
        return "utf-8"


def _entries(source: bytes, target: bytes, charset: str) -> Iterator[Entry]:
    texts = source.rpartition(b"\x04")[2].decode(charset, errors="replace").split("\0")
    forms = target.decode(charset, errors="replace").split("\0")
    yield Entry(texts[0], forms[0])
    if len(texts) > 1:
        yield Entry(texts[1], forms[min(1, len(forms) - 1)])
