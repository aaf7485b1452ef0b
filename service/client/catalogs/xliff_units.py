"""Where the units of an XLIFF file stand, in bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from service.client.catalogs.errors import CatalogError

_TAG_END = re.compile(rb"(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_UNITS = {"trans-unit", "segment"}
_PARTS = {"source", "seg-source", "target", "note"}


@dataclass
class Element:
    """An element in bytes: [begin, end), its content [inner_begin, inner_end)."""

    name: str
    attributes: Mapping[str, str]
    begin: int
    inner_begin: int
    inner_end: int = 0
    end: int = 0


@dataclass
class Unit:
    """A trans-unit (1.2), or a segment (2.0), with its children."""

    element: Element
    line: int
    name: str
    is_translatable: bool
    parts: dict[str, Element] = field(default_factory=dict)
    """source, seg-source and target, by name."""
    notes: list[Element] = field(default_factory=list)


@dataclass
class Units:
    """What a file holds."""

    version: str
    source_language: str
    target_language: str
    languages: list[Element]
    """Elements whose attributes say the target's language."""
    units: list[Unit]


def units_of(content: bytes, name: str) -> Units:
    """Find the units.

    Raises:
        CatalogError: it is not XLIFF 1 or 2 in UTF-8, or has a document type.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CatalogError(f"{name}: is not in UTF-8")
    finder = _Finder(content, name)
    parser = expat.ParserCreate("utf-8")
    finder.parser = parser
    parser.StartElementHandler = finder.start
    parser.EndElementHandler = finder.end
    parser.StartDoctypeDeclHandler = finder.refuse_doctype
    parser.XmlDeclHandler = finder.refuse_other_encodings
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise CatalogError(f"{name}:{error.lineno}: is not well-formed XML in UTF-8: {error}") from error
    return finder.found()


class _Finder:
    def __init__(self, content: bytes, name: str) -> None:
        self.parser = expat.ParserCreate()
        self._content = content
        self._name = name
        self._open: list[Element] = []
        self._units: list[Unit] = []
        self._roots: list[Element] = []
        self._unit: Unit | None = None

    def refuse_doctype(self, *_: object) -> None:
        raise CatalogError(f"{self._name}: a document type (DOCTYPE) is not taken")

    def refuse_other_encodings(self, _: str, encoding: str | None, __: int) -> None:
        # What is filled in is UTF-8, also where all that is there is ASCII.
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
            raise CatalogError(f"{self._name}: is declared as {encoding}, not UTF-8")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        begin = self.parser.CurrentByteIndex
        found = _TAG_END.match(self._content, begin + 1)
        assert found is not None, "expat has read this tag"
        element = Element(name.rpartition(":")[2], attributes, begin, found.end())
        if element.name in ("xliff", "file"):
            self._roots.append(element)
        if element.name in _UNITS and self._unit is None:
            self._unit = Unit(
                element, self.parser.CurrentLineNumber, self._unit_name(element), self._translatable(element)
            )
        self._open.append(element)

    def end(self, _: str) -> None:
        element = self._open.pop()
        if self._content[element.inner_begin - 2 : element.inner_begin] == b"/>":
            element.inner_end = element.end = element.inner_begin
        else:
            element.inner_end = self.parser.CurrentByteIndex
            element.end = self._content.index(b">", element.inner_end) + 1
        unit = self._unit
        if unit is None:
            return
        if self._open and self._open[-1] is unit.element and element.name in _PARTS:
            if element.name == "note":
                unit.notes.append(element)
            else:
                unit.parts[element.name] = element
        if element is unit.element:
            if "source" in unit.parts:
                self._units.append(unit)
            self._unit = None

    def found(self) -> Units:
        root = self._roots[0] if self._roots else None
        version = root.attributes.get("version", "") if root is not None and root.name == "xliff" else ""
        if root is None or version[:2] not in ("1.", "2."):
            raise CatalogError(f"{self._name}: is not XLIFF 1 or 2")
        is_first = version.startswith("1.")
        saying = [element for element in self._roots if (element.name == "file") == is_first]
        keys = ("source-language", "target-language") if is_first else ("srcLang", "trgLang")
        sources, targets = ({element.attributes.get(key, "") for element in saying} for key in keys)
        if len(targets) > 1:
            raise CatalogError(
                f"{self._name}: has several target languages ({', '.join(sorted(targets))}); one file each"
            )
        return Units(version, max(sources, default=""), max(targets, default=""), saying, self._units)

    def _unit_name(self, element: Element) -> str:
        around = [
            e.attributes.get("id", "") for e in [*self._open, element] if e.name in ("unit", "trans-unit", "segment")
        ]
        return "/".join(part for part in around if part)

    def _translatable(self, element: Element) -> bool:
        said = [e.attributes["translate"] for e in [*self._open, element] if "translate" in e.attributes]
        return not said or said[-1] != "no"
