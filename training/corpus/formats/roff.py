"""Manual pages: roff with the man macros."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.corpus.formats.blocks import Block, align
from training.corpus.formats.files import read
from training.corpus.text import Entry

_GLYPHS = {
    "aq": "'", "cq": "’", "oq": "‘", "dq": '"', "lq": "“", "rq": "”", "em": "—", "en": "–", "bu": "•", "co": "©",
    "ti": "~", "ha": "^", "rs": "\\", "Fo": "«", "Fc": "»", "Bq": "„", "bq": "‚", "ga": "`", "mc": "µ", "mu": "×",
    "+-": "±", "<=": "≤", ">=": "≥", "->": "→", "tm": "™", "rg": "®", "de": "°", "ss": "ß", "R": "®", "Tm": "™",
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:f(?:\[[^]]*\]|\(..|.)|s[-+]?\d+|\*?\((?P<two>..)|\[(?P<long>[^]]*)\]|\*\[[^]]*\]|[mhv]'[^']*'|m\[[^]]*\]"
    r"|(?P<one>.))"
)
_SINGLE = {"-": "-", "e": "\\", "\\": "\\", "~": " ", " ": " ", "0": " ", "'": "´", "`": "`", ".": ".", "t": " "}
_FONTS = frozenset({"B", "I", "BR", "RB", "BI", "IB", "IR", "RI", "R", "SM", "SB"})
_ALTERNATING = frozenset({"BR", "RB", "BI", "IB", "IR", "RI"})
_HEADINGS = frozenset({"SH", "SS"})
_VERBATIM = {"nf": "fi", "EX": "EE", "TS": "TE", "PS": "PE"}
_INLINE = frozenset(
    {"UR", "UE", "MT", "ME", "ad", "hy", "nh", "na", "ft", "ie", "el", "if", "in", "ti", "ta", "ne", "br"}
)
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def read_manpages(english: Path, other: Path, language: str) -> Iterator[Entry]:
    """Entries of all pages of one directory that the other holds in a language.

    The skeleton is not all: pages whose paragraphs differ in their options are misaligned, and left out.
    """
    translated = {path.name: path for path in sorted(other.glob(f"**/man/{language}/man*/*.gz"))}
    for path in sorted(english.glob("**/man/man*/*.gz")):
        if path.name in translated and not path.is_symlink():
            pages = (parse_roff(read(page).decode("utf-8", errors="replace")) for page in (path, translated[path.name]))
            entries = list(align(*pages))
            if all(_OPTION.findall(entry.source) == _OPTION.findall(entry.target) for entry in entries[:8]):
                yield from entries


def parse_roff(text: str) -> list[Block]:
    """Headings and paragraphs of a page without markup; kinds are names of the macros that begin them."""
    reader = _Reader()
    for line in text.splitlines():
        reader.feed(line)
    reader.end_block()
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: list[Block] = []
        self._kind = "start"
        self._lines: list[str] = []
        self._end_of_verbatim: str | None = None
        self._is_tag_next = False

    def feed(self, line: str) -> None:
        """Take one line."""
        if self._end_of_verbatim:
            if line.startswith("." + self._end_of_verbatim):
                self._end_of_verbatim = None
        elif not line.strip():
            self._begin_block("blank")
        elif line.startswith((".", "'")) and line[1:].strip():
            match = re.match(r"[.']\s*(\S+)\s*(.*)", line)
            if match and not match[1].startswith('\\"'):
                self._macro(match[1], match[2])
        elif not line.startswith("."):
            self._append(line)

    def end_block(self) -> None:
        """What was read since the last macro is a block."""
        text = " ".join(" ".join(self._lines).split())
        self._lines = []
        if text:
            self.found.append(Block(self._kind, text))

    def _macro(self, name: str, rest: str) -> None:
        if name in _VERBATIM:
            self.end_block()
            self._end_of_verbatim = _VERBATIM[name]
        elif name in _HEADINGS:
            self._begin_block(name)
            if rest:
                self._append(" ".join(_arguments(rest)))
                self._begin_block("P")
        elif name in _FONTS:
            self._append(("" if name in _ALTERNATING else " ").join(_arguments(rest)))
        elif name in ("TH", "TE", "SH") or name in _INLINE:
            if name == "br":
                self._lines.append(" ")
        else:
            self._begin_block("P" if name in ("PP", "LP") else name)
            self._is_tag_next = name == "TP"

    def _begin_block(self, kind: str) -> None:
        self.end_block()
        self._kind = kind
        self._is_tag_next = False

    def _append(self, line: str) -> None:
        self._lines.append(_plain(line))
        # The line after .TP is the term, all others are its description.
        if self._is_tag_next:
            self._begin_block("description")


def _arguments(rest: str) -> list[str]:
    return [quoted or plain for quoted, plain in _ARGUMENT.findall(rest)]


def _plain(text: str) -> str:
    return _ESCAPE.sub(_glyph, text.partition('\\"')[0])


def _glyph(match: re.Match[str]) -> str:
    if match["one"]:
        return _SINGLE.get(match["one"], "")
    name = match["two"] or match["long"]
    return _GLYPHS.get(name, "") if name else ""
