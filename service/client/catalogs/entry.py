"""What every format of catalog has: entries, and what is written into them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from service.client.catalogs.plurals import PluralForms

_MARK = re.compile(r"seq2serve: .*\btext ([0-9a-f]{8})\b")


class State(Enum):
    """Who an entry's translation comes from."""

    EMPTY = "empty"
    STALE = "stale"
    """Fuzzy, left by msgmerge: the translation of another message."""
    SUGGESTED = "suggested"
    """Fuzzy, and not ours: a person's suggestion."""
    OURS = "ours"
    """Written by this program, and not touched since."""
    CONFIRMED = "confirmed"
    """Translated by a person, or accepted by one."""


class Origin(Enum):
    """Where a filling comes from."""

    MODEL = "model"
    MEMORY = "memory"
    """A confirmed entry with the same text."""
    COPY = "copy"
    """Nothing in the text is to be translated."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A message of a catalog."""

    index: int
    """In the catalog, from 0; a filling is for an index."""
    line: int
    """Where it stands in the file, from 1."""
    name: str = ""
    """Its key, where the format has keys."""
    context: str | None = None
    source: str
    plural: str | None = None
    """Source for other numbers than one."""
    flags: frozenset[str] = frozenset()
    """Formats of its placeholders, as gettext names them."""
    targets: tuple[str, ...] = ()
    """One for each plural form; one without plural."""
    state: State = State.EMPTY
    problem: str = ""
    """Why it cannot be filled, whatever its translation; empty: it can."""


@dataclass(frozen=True)
class Filling:
    """What is written into an entry."""

    targets: tuple[str, ...]
    origin: Origin
    score: float | None = None
    """Of the worst of its texts; higher is better."""
    model: str = ""
    """Name and version."""

    def mark(self, source: str) -> str:
        """The comment that tells a translator, and a later run, who wrote this; `source` is the entry's."""
        if self.origin is Origin.MODEL:
            said = f"score {self.score:.2f}, model {self.model}"
        else:
            said = "same text as a translated entry" if self.origin is Origin.MEMORY else "copied"
        return f"seq2serve: {said}, text {fingerprint(source, self.targets)}"


def fingerprint(source: str, targets: Sequence[str]) -> str:
    """Eight hexadecimal digits that change when a translation is edited, or put to another source."""
    return f"{zlib.crc32(chr(0).join([source, *targets]).encode()):08x}"


def is_marked(comment: str, source: str, targets: Sequence[str]) -> bool:
    """Whether a comment says that this program wrote exactly these translations of the source."""
    found = _MARK.search(comment)
    return found is not None and found.group(1) == fingerprint(source, targets)


def has_mark(comment: str) -> bool:
    """Whether a comment is a mark of this program, whatever it was put on."""
    return _MARK.search(comment) is not None


class Catalog(Protocol):
    """A file of messages; what is not filled keeps its bytes."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All messages that are in use, in the order of the file."""

    @property
    def language(self) -> str:
        """BCP-47 code of the translations; empty where the file does not say."""

    @property
    def plural_forms(self) -> PluralForms:
        """The forms of the language; CatalogError where they are not known."""

    @property
    def accelerator(self) -> str | None:
        """The character that marks access keys, where the file says it; None: see `accelerators.style_of`."""

    def content(self, fillings: Mapping[int, Filling]) -> bytes:
        """The file with those entries filled, by index."""
