"""A message made ready for the model, and a translation made ready for the catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.client.catalogs.accelerators import Label, put_back, taken_out
from service.client.catalogs.edges import Framed, framed, unwrapped, with_ellipses_of, with_ending_of
from service.client.catalogs.placeholders import as_in, simplified
from service.client.catalogs.po_text import width

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Prepared:
    """What is sent of a message, and what comes back around its translation."""

    frame: Framed
    label: Label
    text: str
    """What is translated: without outer white space and access key, placeholders plain, sentences on one line."""


def prepared(source: str, marks: frozenset[str]) -> Prepared:
    """A message without what the model must not see; `marks` are those of access keys."""
    frame = framed(source)
    label = taken_out(frame.text, marks)
    return Prepared(frame, label, simplified(unwrapped(label.text)))


def restored(message: Prepared, translation: str, language: str) -> str:
    """The translation as the catalog takes it."""
    plain = message.label.text
    text = as_in(unwrapped(plain), with_ellipses_of(plain, translation.strip()))
    text = with_ending_of(plain, text, language)
    if unwrapped(plain) != plain:
        text = _wrapped(text, max(map(width, plain.split("\n"))))
    return message.frame.before + put_back(text, message.label, language) + message.frame.after


def _wrapped(text: str, columns: int) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        begun = ""
        for word in _WORD.findall(line):
            if begun and width(f"{begun} {word}") > columns:
                lines.append(begun)
                begun = word
            else:
                begun = f"{begun} {word}" if begun else line[: len(line) - len(line.lstrip())] + word
        lines.append(begun)
    return "\n".join(lines)
