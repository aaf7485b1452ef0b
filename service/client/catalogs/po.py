"""gettext catalogs (.po, .pot).

Lines of messages that are not filled keep their bytes. polib 1.2 wraps and orders them anew, so they are read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from service.client.catalogs.entry import Entry, Filling, State, has_mark, is_marked
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.language import language_code
from service.client.catalogs.plurals import PluralForms
from service.client.catalogs.po_blocks import Block, blocks_of
from service.client.catalogs.po_text import WIDTH, field, quoted, width

_CHARSET = re.compile(rb'charset=([\w.:-]+?)(?:\\n|"|;|\s)')
_MARGIN = 4
"""Columns by which a line may pass the width before a file is taken for one that is not wrapped."""


class PoCatalog:
    """A gettext file."""

    def __init__(self, content: bytes, name: str, language: str = "") -> None:
        """Reads a file.

        Args:
            content: of the file.
            name: of the file, for errors.
            language: BCP-47 code where the header says none, as in a template; written into it.

        Raises:
            CatalogError: the file cannot be read; the message names the line.
        """
        self._name = name
        self._charset = _charset(content, name)
        self._lines = _lines(_decoded(content, self._charset, name))
        self._newline = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        self._is_wrapped = all(width(line.rstrip()) <= WIDTH + _MARGIN for line in self._lines if line[:1] in 'm"')
        blocks = blocks_of(self._lines, name)
        self._header = next((block for block in blocks if _is_header(block)), None)
        self._blocks = [block for block in blocks if not _is_header(block)]
        self._headers = _headers(self._header.targets[0]) if self._header is not None else {}
        self._language = language
        self._entries = [self._entry(index, block) for index, block in enumerate(self._blocks)]

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Catalog`."""
        return self._entries

    @property
    def language(self) -> str:
        """See `Catalog`."""
        return language_code(self._headers.get("Language", "")) or self._language

    @property
    def plural_forms(self) -> PluralForms:
        """See `Catalog`."""
        header = self._headers.get("Plural-Forms", "")
        if header and "INTEGER" not in header:
            return PluralForms.parse(header)
        return PluralForms.of_language(self.language)

    @property
    def accelerator(self) -> str | None:
        """See `Catalog`; KDE's files have X-Accelerator-Marker."""
        return self._headers.get("X-Accelerator-Marker")

    def content(self, fillings: Mapping[int, Filling]) -> bytes:
        """See `Catalog`."""
        lines = list(self._lines)
        for index in sorted(fillings, reverse=True):
            self._fill(lines, self._blocks[index], fillings[index])
        if fillings:
            self._complete_header(lines)
        charset = "utf-8" if self._charset == "charset" else self._charset
        try:
            return "".join(lines).encode(charset)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise CatalogError(f"{self._name}: {character!r} is not in {charset}; use msgconv -t UTF-8") from error

    def _entry(self, index: int, block: Block) -> Entry:
        flags = _flags(self._lines, block)
        return Entry(
            index=index,
            line=block.begin + 1,
            context=block.text("msgctxt"),
            source=block.text("msgid") or "",
            plural=block.text("msgid_plural"),
            flags=frozenset(flag for flag in flags if flag.endswith("-format") and not flag.startswith("no-")),
            targets=block.targets,
            state=_state(self._lines, block, "fuzzy" in flags),
        )

    def _fill(self, lines: list[str], block: Block, filling: Filling) -> None:
        fields = [found for keyword, found in block.fields.items() if keyword.startswith("msgstr")]
        is_plural = "msgid_plural" in block.fields
        written = [
            line
            for form, text in enumerate(filling.targets)
            for line in field(f"msgstr[{form}]" if is_plural else "msgstr", text, self._is_wrapped)
        ]
        # msgmerge keeps translators' comments, not extracted ones (#.), so the mark is one of those.
        notes = [f"# {filling.mark(block.text('msgid') or '')}"]
        if any(block.targets) and not _is_ours(lines, block):
            notes += [f"# previous translation: {quoted(text)}" for text in block.targets]
        first = block.comments[0] if block.comments else block.begin
        comments = [line for line in lines[first : block.begin] if not has_mark(line)]
        # A translator's comment from here on: #| says that msgmerge took the translation from another message.
        notes += [f"# previous{line[2:].rstrip()}" for line in comments if line.startswith("#|")]
        is_open = fields[-1].end == len(lines) and not lines[-1].endswith("\n")
        lines[fields[0].begin : fields[-1].end] = [line + self._newline for line in written]
        if is_open:
            lines[-1] = lines[-1].removesuffix(self._newline)
        above = _with_fuzzy([line for line in comments if not line.startswith("#|")], self._newline)
        place = next((at for at, line in enumerate(above) if line[1:2] in tuple(".:,")), len(above))
        above[place:place] = [note + self._newline for note in notes]
        lines[first : block.begin] = above

    def _complete_header(self, lines: list[str]) -> None:
        """Write what a header lacks: language and plural forms, and for a template the character set."""
        if self._header is None or (self._blocks and self._blocks[0].begin < self._header.begin):
            return
        known = dict(self._headers)
        wanted = dict(known)
        if not known.get("Language") and self.language:
            wanted["Language"] = self.language.replace("-", "_")
        has_plurals = any(entry.plural is not None for entry in self._entries)
        if "INTEGER" in known.get("Plural-Forms", "") or (has_plurals and "Plural-Forms" not in known):
            wanted["Plural-Forms"] = self.plural_forms.header
        if self._charset == "charset":
            wanted["Content-Type"] = "text/plain; charset=UTF-8"
        if wanted == known:
            return
        found = self._header.fields["msgstr"]
        text = "".join(f"{key}: {value}\n" for key, value in wanted.items())
        lines[found.begin : found.end] = [line + self._newline for line in field("msgstr", text, self._is_wrapped)]
        for number in self._header.comments:
            if lines[number].startswith("#,"):
                lines[number] = _flag_line(_flags_of(lines[number]) - {"fuzzy"}, self._newline)


def _charset(content: bytes, name: str) -> str:
    found = _CHARSET.search(content)
    charset = found.group(1).decode().lower() if found else "utf-8"
    if charset == "charset":  # a template's placeholder
        return charset
    try:
        "".encode(charset)
    except LookupError as error:
        raise CatalogError(f"{name}: unknown charset {charset!r} in the header") from error
    return charset


def _decoded(content: bytes, charset: str, name: str) -> str:
    try:
        return content.decode("utf-8" if charset == "charset" else charset)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogError(f"{name}:{line}: is not {charset}, which the header promises") from error


def _lines(text: str) -> list[str]:
    """Lines with their ends; other separators that Unicode has stay within a line."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _is_header(block: Block) -> bool:
    return block.text("msgid") == "" and block.text("msgctxt") is None


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.split("\n") if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _flags_of(line: str) -> set[str]:
    return {flag.strip() for flag in line.strip()[2:].split(",")} - {""}


def _flags(lines: list[str], block: Block) -> set[str]:
    return {flag for number in block.comments if lines[number].startswith("#,") for flag in _flags_of(lines[number])}


def _state(lines: list[str], block: Block, is_fuzzy: bool) -> State:
    if not any(block.targets):
        return State.EMPTY
    if not is_fuzzy:
        # A plural of which only some forms are there is work in progress, and a person's.
        return State.CONFIRMED
    if _is_ours(lines, block):
        return State.OURS
    is_merged = any(lines[number].startswith("#|") for number in block.comments)
    return State.STALE if is_merged else State.SUGGESTED


def _is_ours(lines: list[str], block: Block) -> bool:
    source = block.text("msgid") or ""
    return any(is_marked(lines[number], source, block.targets) for number in block.comments)


def _with_fuzzy(comments: list[str], newline: str) -> list[str]:
    for number, comment in enumerate(comments):
        if comment.startswith("#,"):
            if "fuzzy" not in _flags_of(comment):
                comments[number] = f"#, fuzzy, {comment[2:].strip()}{newline}"
            return comments
    return [*comments, f"#, fuzzy{newline}"]


def _flag_line(flags: set[str], newline: str) -> str:
    return f"#, {', '.join(sorted(flags))}{newline}" if flags else ""
