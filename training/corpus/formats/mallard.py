"""Mallard pages of GNOME's help, one file for each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

from training.corpus.formats.blocks import Block, align
from training.corpus.formats.files import read
from training.corpus.text import Entry

_TEXTS = frozenset({"title", "desc", "p", "td"})
_LEFT_OUT = frozenset({"credit", "revision", "link", "license", "include", "screen", "code", "media"})
_DECLARATIONS = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.DOTALL)


def read_mallard(directory: Path, language: str) -> Iterator[Entry]:
    """Entries of all pages below a directory that are there in English (folder C) and in the language."""
    for english in sorted(directory.glob("**/C/**/*.page")):
        place = english.as_posix().replace("/help/C/", f"/help/{language}/")
        if Path(place).is_file() and place != english.as_posix():
            yield from align(parse_mallard(read(english)), parse_mallard(read(Path(place))))


def parse_mallard(content: bytes) -> list[Block]:
    """Titles and paragraphs of a page, with their inline elements as tags; kinds are paths of element names.

    Raises:
        ValueError: it is no XML.
    """
    try:
        # Declarations of entities are how XML files grow without bound; pages need none.
        root = ET.fromstring(_DECLARATIONS.sub(b"", content))  # noqa: S314
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from None
    return list(_blocks(root, ""))


def _blocks(element: ET.Element, path: str) -> Iterator[Block]:
    for child in element:
        name = _name(child)
        if name in _TEXTS and not any(_name(inner) in _TEXTS for inner in child):
            yield Block(f"{path}/{name}", _inner(child))
        elif name not in _LEFT_OUT:
            yield from _blocks(child, f"{path}/{name}")


def _inner(element: ET.Element) -> str:
    parts = [escape(element.text or "", quote=False)]
    for child in element:
        name = _name(child)
        attributes = "".join(f' {_local(key)}="{escape(value)}"' for key, value in child.attrib.items())
        inner = _inner(child)
        parts += [f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"]
        parts.append(escape(child.tail or "", quote=False))
    return "".join(parts)


def _name(element: ET.Element) -> str:
    return _local(element.tag) if isinstance(element.tag, str) else "comment"


def _local(name: str) -> str:
    return name.rpartition("}")[2]
