"""XLIFF 1.2 and 2: bytes outside of what is filled stay."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from service.client.catalogs.entry import Entry, Filling, Origin, State, fingerprint, is_marked
from service.client.catalogs.plurals import PluralForms
from service.client.catalogs.xliff_units import Element, Unit, units_of

_TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_CODES = re.compile(r"<(?:\w+:)?(?:ph|bpt|ept|it)\b[^<>]*[^/]>")
"""Elements of 1.2 whose content is code, not text."""
_UNFINISHED = {"new", "needs-translation", "needs-adaptation", "needs-l10n"}
_SUB_STATE = re.compile(r"seq2serve:.*text=([0-9a-f]{8})")
_NOT_A_NAME = re.compile(r"[^\w.=-]+")

Edit = tuple[int, int, str]
"""Bytes [begin, end) and what takes their place."""


class XliffCatalog:
    """An XLIFF file."""

    def __init__(self, content: bytes, name: str, language: str = "") -> None:
        """Reads a file.

        Args:
            content: of the file.
            name: of the file, for errors.
            language: BCP-47 code where the file says none; written into it.

        Raises:
            CatalogError: the file cannot be read; the message says why.
        """
        self._content = content
        self._name = name
        self._file = units_of(content, name)
        self._is_first = self._file.version.startswith("1.")
        self.language = self._file.target_language or language
        self.accelerator = None
        self._entries = [self._entry(index, unit) for index, unit in enumerate(self._file.units)]

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Catalog`."""
        return self._entries

    @property
    def plural_forms(self) -> PluralForms:
        """See `Catalog`; XLIFF itself has no plurals."""
        return PluralForms.of_language(self.language)

    def content(self, fillings: Mapping[int, Filling]) -> bytes:
        """See `Catalog`."""
        edits = [edit for index, filling in fillings.items() for edit in self._edits(index, filling)]
        if fillings and not self._file.target_language:
            key = "target-language" if self._is_first else "trgLang"
            edits += [self._attributes(element, {key: self.language}) for element in self._file.languages]
        parts, done = [], 0
        for begin, end, text in sorted(edits):
            parts += [self._content[done:begin], text.encode()]
            done = end
        return b"".join([*parts, self._content[done:]])

    def _inner(self, element: Element | None) -> str:
        return "" if element is None else self._content[element.inner_begin : element.inner_end].decode()

    def _entry(self, index: int, unit: Unit) -> Entry:
        source, target = self._inner(unit.parts["source"]), self._inner(unit.parts.get("target"))
        text = _text(target)
        state = self._state(unit, _text(source), text)
        return Entry(
            index=index,
            line=unit.line,
            name=unit.name,
            source=_text(source),
            targets=(text,),
            state=state,
            problem=self._problem(unit, source, state),
        )

    def _problem(self, unit: Unit, source: str, state: State) -> str:
        if not unit.is_translatable:
            return "marked as not to be translated"
        if "<!" in source or "<?" in source:
            return "CDATA, a comment or an instruction in the source"
        if self._is_first and _CODES.search(source):
            return "inline codes with content"
        if "seg-source" in unit.parts:
            return "cut into segments (seg-source)"
        literal = html.unescape(_TAG.sub("", source))
        if any(tag in literal for tag in _TAG.findall(source)):
            return "text that looks like one of its inline elements"
        if not self._is_first and state is State.SUGGESTED:
            return "XLIFF 2 has no place to keep the suggestion"
        return ""

    def _state(self, unit: Unit, source: str, target: str) -> State:
        if not target:
            return State.EMPTY
        if not self._is_first:
            return _state_of_segment(unit.element.attributes, source, target)
        said = unit.parts["target"].attributes.get("state", "")
        if unit.element.attributes.get("approved") == "yes":
            return State.CONFIRMED
        if said in _UNFINISHED and target == source:
            return State.EMPTY
        if said not in _UNFINISHED and not said.startswith("needs-review"):
            return State.CONFIRMED
        notes = [html.unescape(self._inner(note)) for note in unit.notes]
        return State.OURS if any(is_marked(note, source, (target,)) for note in notes) else State.SUGGESTED

    def _edits(self, index: int, filling: Filling) -> list[Edit]:
        unit, entry = self._file.units[index], self._entries[index]
        written = _markup(filling.targets[0], set(_TAG.findall(self._inner(unit.parts["source"]))))
        begin, end = unit.parts["source"].end, unit.parts["source"].end
        indent = _indent(self._content, unit.parts["source"].begin)
        if "target" in unit.parts:
            begin, end, indent = unit.parts["target"].begin, unit.parts["target"].end, ""
        if not self._is_first:
            marks = {"state": "initial", "subState": _sub_state(entry.source, filling)}
            return [
                (begin, end, f"{indent}<target>{written}</target>"),
                self._attributes(unit.element, marks),
            ]
        said = 'state="needs-review-translation" state-qualifier="mt-suggestion"'
        if filling.origin is not Origin.MODEL:
            said = 'state="needs-review-translation"'
        notes = [filling.mark(entry.source)]
        if entry.state is State.SUGGESTED:
            notes.append(f"previous translation: {entry.targets[0]}")
        before = _indent(self._content, unit.parts["source"].begin)
        text = f"{indent}<target {said}>{written}</target>"
        text += "".join(f'{before}<note from="seq2serve">{escape(note)}</note>' for note in notes)
        old = [
            (_with_indent(self._content, note.begin), note.end, "")
            for note in unit.notes
            if note.attributes.get("from") == "seq2serve" and "previous translation" not in self._inner(note)
        ]
        return [(begin, end, text), *old]

    def _attributes(self, element: Element, values: Mapping[str, str]) -> Edit:
        """The start tag with these attributes."""
        tag = self._content[element.begin : element.inner_begin].decode()
        for key in values:
            tag = re.sub(rf"\s{key}\s*=\s*(?:\"[^\"]*\"|'[^']*')", "", tag)
        close = "/>" if tag.endswith("/>") else ">"
        added = "".join(f" {key}={quoteattr(value)}" for key, value in values.items())
        return element.begin, element.inner_begin, tag.removesuffix(close).rstrip() + added + close


def _state_of_segment(attributes: Mapping[str, str], source: str, target: str) -> State:
    if attributes.get("state", "translated") != "initial":
        return State.CONFIRMED
    found = _SUB_STATE.fullmatch(attributes.get("subState", ""))
    return State.OURS if found and found.group(1) == fingerprint(source, (target,)) else State.SUGGESTED


def _sub_state(source: str, filling: Filling) -> str:
    score = "" if filling.score is None else f"score={filling.score:.2f}_model={_NOT_A_NAME.sub('-', filling.model)}_"
    return f"seq2serve:{score}text={fingerprint(source, filling.targets)}"


def _text(inner: str) -> str:
    """Content as text: inline elements as they are written, all else unescaped."""
    parts, end = [], 0
    for tag in _TAG.finditer(inner):
        parts += [html.unescape(inner[end : tag.start()]), tag.group()]
        end = tag.end()
    return "".join(parts) + html.unescape(inner[end:])


def _markup(text: str, inline: set[str]) -> str:
    """The reverse of `_text`."""
    if not inline:
        return escape(text)
    pattern = re.compile("|".join(map(re.escape, sorted(inline, key=len, reverse=True))))
    parts, end = [], 0
    for tag in pattern.finditer(text):
        parts += [escape(text[end : tag.start()]), tag.group()]
        end = tag.end()
    return "".join(parts) + escape(text[end:])


def _indent(content: bytes, place: int) -> str:
    """White space before a place, if a line begins there."""
    return content[_with_indent(content, place) : place].decode()


def _with_indent(content: bytes, place: int) -> int:
    begin = content.rfind(b"\n", 0, place)
    if begin < 0 or content[begin + 1 : place].strip(b" \t"):
        return place
    return begin - (content[begin - 1 : begin] == b"\r")
