"""A gettext file in blocks of lines, each a message; what no block changes keeps its bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from service.client.catalogs.errors import CatalogError
from service.client.catalogs.po_text import unquoted

_KEYWORD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?|domain)\s*(\".*\")")


@dataclass
class Field:
    """A keyword with its string: lines [begin, end)."""

    begin: int
    end: int
    text: str


@dataclass
class Block:
    """A message: its comments and fields."""

    comments: list[int] = field(default_factory=list)
    """Line numbers from 0, in order."""
    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether it holds a translation, empty or not, so that what follows is another message."""
        return any(keyword.startswith("msgstr") for keyword in self.fields)

    @property
    def begin(self) -> int:
        """Its first line that is no comment."""
        return next(iter(self.fields.values())).begin

    @property
    def targets(self) -> tuple[str, ...]:
        """Its translations."""
        return tuple(found.text for keyword, found in self.fields.items() if keyword.startswith("msgstr"))

    def text(self, keyword: str) -> str | None:
        """The string of a keyword; None where there is none."""
        return self.fields[keyword].text if keyword in self.fields else None


def blocks_of(lines: list[str], name: str) -> list[Block]:
    """The messages that are in use; obsolete ones (#~) are left out.

    Args:
        lines: of the file.
        name: of the file, for errors.

    Raises:
        CatalogError: a line cannot be read.
    """
    blocks: list[Block] = []
    block = Block()
    last: Field | None = None
    for number, line in enumerate(lines):
        stripped = line.strip().lstrip("\ufeff")
        if not stripped:
            continue
        if stripped.startswith("#"):
            if block.fields:
                blocks.append(_whole(block, name))
                block = Block()
            # Comments before an obsolete message belong to it.
            block.comments = [] if stripped.startswith("#~") else [*block.comments, number]
            last = None
            continue
        keyword, literal = _keyword(stripped)
        if keyword is not None and block.is_whole and not keyword.startswith("msgstr"):
            blocks.append(_whole(block, name))
            block = Block()
        last = _take(block, last, keyword, literal, number, name)
    if block.fields:
        blocks.append(_whole(block, name))
    return blocks


def _keyword(line: str) -> tuple[str | None, str]:
    found = _KEYWORD.fullmatch(line)
    return (found.group(1), found.group(2)) if found else (None, line)


def _take(block: Block, last: Field | None, keyword: str | None, literal: str, number: int, name: str) -> Field:
    try:
        text = unquoted(literal)
    except ValueError as error:
        raise CatalogError(f"{name}:{number + 1}: {error}") from error
    if keyword is not None:
        if keyword in block.fields:
            raise CatalogError(f"{name}:{number + 1}: a second {keyword} in one message")
        block.fields[keyword] = Field(number, number + 1, text)
        return block.fields[keyword]
    if last is None:
        raise CatalogError(f"{name}:{number + 1}: expected msgctxt, msgid, msgid_plural or msgstr")
    last.end, last.text = number + 1, last.text + text
    return last


def _whole(block: Block, name: str) -> Block:
    if "msgid" not in block.fields or not block.is_whole:
        raise CatalogError(f"{name}:{block.begin + 1}: a message needs msgid and msgstr")
    return block
