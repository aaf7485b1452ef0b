"""Strings as gettext's files write them."""

from __future__ import annotations

import re
import unicodedata

WIDTH = 79
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:([ntrabfv\"\\])|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {character: f"\\{name}" for name, character in _NAMED.items()}
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\S*\s*")


def unquoted(literal: str) -> str:
    """The string that one quoted literal stands for.

    Raises:
        ValueError: it is not a literal.
    """
    if len(literal) < 2 or literal[0] != '"' or literal[-1] != '"':
        raise ValueError("expected a string in double quotes")
    return _ESCAPE.sub(_character, literal[1:-1])


def _character(found: re.Match[str]) -> str:
    name, hexadecimal, octal, other = found.groups()
    if other is not None:
        raise ValueError(f"unknown escape \\{other}")
    if name is not None:
        return _NAMED[name]
    return chr(int(hexadecimal, 16) if hexadecimal is not None else int(octal, 8))


def quoted(text: str) -> str:
    """One literal for a string."""
    return '"' + "".join(_ESCAPED.get(character, character) for character in text) + '"'


def field(keyword: str, text: str, is_wrapped: bool) -> list[str]:
    """The lines, without their ends, of a keyword with its string, cut as gettext cuts them."""
    whole = f"{keyword} {quoted(text)}"
    lines = _LINE.findall(text)
    if len(lines) <= 1 and (not is_wrapped or width(whole) <= WIDTH):
        return [whole]
    pieces = [piece for line in lines for piece in (_wrapped(line) if is_wrapped else [line])]
    return [f'{keyword} ""', *map(quoted, pieces)]


def _wrapped(line: str) -> list[str]:
    pieces = [""]
    for word in _WORD.findall(line):
        if pieces[-1] and width(quoted(pieces[-1] + word.rstrip(" "))) > WIDTH:
            pieces.append("")
        pieces[-1] += word
    return pieces


def width(text: str) -> int:
    """Columns on a terminal."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)
