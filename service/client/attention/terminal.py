"""A heat map of characters: rows look, columns are looked at, darker is more."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

SHADES = "░▒▓█"
LEVELS = (0.05, 0.2, 0.4, 0.7)
"""From which weight on each shade is shown."""
COLORS = (223, 215, 208, 196)
"""Of the terminal's 256, for each shade."""
FAINT = 240
CELL_WIDTH = 2
"""A character of Korean, Chinese or Japanese is as wide, so that labels of columns can stand upright."""
MAX_LABEL_WIDTH = 24
MAX_LABEL_HEIGHT = 12
CUT_OFF = "…"


def draw(
    weights: NDArray[Any], row_labels: Sequence[str], column_labels: Sequence[str], width: int, is_colored: bool
) -> str:
    """Lines of text; columns that do not fit beside each other follow below.

    Args:
        weights: (rows, columns), 0 to 1. What is exactly 0 is shown as a dot: it cannot be seen, or is not looked at.
        row_labels: one for each row.
        column_labels: one for each column.
        width: of the terminal, in narrow characters.
        is_colored: whether to use ANSI colours.
    """
    names = [_fitted(label, MAX_LABEL_WIDTH) for label in row_labels]
    margin = max(map(text_width, names), default=0)
    num_columns = len(column_labels)
    num_beside = max(1, (width - margin - 1) // CELL_WIDTH)
    lines: list[str] = []
    for begin in range(0, num_columns, num_beside):
        part = slice(begin, begin + num_beside)
        if num_beside < num_columns:
            lines.append(f"columns {begin + 1} to {min(begin + num_beside, num_columns)} of {num_columns}:")
        lines += [" " * (margin + 1) + line for line in _upright(column_labels[part])]
        for name, row in zip(names, weights, strict=True):
            cells = "".join(_cell(float(weight), is_colored) for weight in row[part])
            lines.append(" " * (margin - text_width(name)) + f"{name} {cells}".rstrip())
    return "\n".join(lines)


def text_width(text: str) -> int:
    """How many narrow characters wide a terminal shows it."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cell(weight: float, is_colored: bool) -> str:
    level = sum(weight >= least for least in LEVELS)
    text = SHADES[level - 1] * CELL_WIDTH if level else ("· " if weight == 0 else "  ")
    color = COLORS[level - 1] if level else FAINT
    return f"\x1b[38;5;{color}m{text}\x1b[0m" if is_colored and text.strip() else text


def _upright(labels: Sequence[str]) -> list[str]:
    """Labels from top to bottom, standing on the map."""
    columns = [_characters(label) for label in labels]
    height = max(map(len, columns), default=0)
    padded = [[" "] * (height - len(column)) + column for column in columns]
    return ["".join(_filled(column[line]) for column in padded).rstrip() for line in range(height)]


def _characters(label: str) -> list[str]:
    """What each line of a label shows: a character with the marks upon it."""
    found: list[str] = []
    for character in printable(label):
        if found and _width(character) == 0:
            found[-1] += character
        else:
            found.append(character)
    return found if len(found) <= MAX_LABEL_HEIGHT else [*found[: MAX_LABEL_HEIGHT - 1], CUT_OFF]


def _filled(character: str) -> str:
    return character + " " * (CELL_WIDTH - text_width(character))


def _fitted(label: str, width: int) -> str:
    label = printable(label)
    if text_width(label) <= width:
        return label
    while text_width(label) > width - text_width(CUT_OFF):
        label = label[:-1]
    return label + CUT_OFF


def printable(label: str) -> str:
    """A terminal obeys control characters, and a line break would tear the map."""
    return "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in label)
