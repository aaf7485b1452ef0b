"""A heat map as a PNG file. Needs Pillow, and no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.client.attention.fonts import font_for

CELL, GAP, MARGIN = 26, 8, 16
"""In pixels: a weight, between map and labels, around it all."""
PAPER, INK, DARKEST = (255, 255, 255), (32, 32, 32), (8, 48, 107)
MASKED = (240, 240, 240)
"""Of what is exactly 0."""


def save(
    path: Path,
    weights: NDArray[Any],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    font_file: Path | None = None,
) -> None:
    """Write a map.

    Args:
        path: of the file.
        weights: (rows, columns), 0 to 1.
        row_labels: one for each row.
        column_labels: one for each column.
        title: over the map.
        font_file: the font of all labels; None: one that can write them.

    Raises:
        FontError: none can.
        OSError: the file cannot be written.
    """
    font = font_for("".join((*row_labels, *column_labels, title)), font_file)
    rows, columns = [_written(label, font) for label in row_labels], [_written(label, font) for label in column_labels]
    heading = _written(title, font)
    left = MARGIN + max((label.width for label in rows), default=0) + GAP
    top = MARGIN + heading.height + GAP + max((label.width for label in columns), default=0) + GAP
    width = max(left + CELL * len(columns), MARGIN + heading.width) + MARGIN
    picture = Image.new("RGB", (width, top + CELL * len(rows) + MARGIN), PAPER)
    picture.paste(heading, (MARGIN, MARGIN))
    for index, label in enumerate(rows):
        picture.paste(label, (left - GAP - label.width, top + index * CELL + (CELL - label.height) // 2))
    for index, label in enumerate(columns):
        upright = label.rotate(90, expand=True)
        picture.paste(upright, (left + index * CELL + (CELL - upright.width) // 2, top - GAP - upright.height))
    cells = np.kron(_colors(weights), np.ones((CELL, CELL, 1), np.uint8))
    picture.paste(Image.fromarray(cells.astype(np.uint8)), (left, top))
    picture.save(path, format="PNG")


def _written(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A line of text, as high as all others of the font."""
    ascent, descent = font.getmetrics()
    width = max(1, round(font.getlength(text)))
    label = Image.new("RGB", (width, ascent + descent), PAPER)
    ImageDraw.Draw(label).text((0, 0), text, font=font, fill=INK)
    return label


def _colors(weights: NDArray[Any]) -> NDArray[np.uint8]:
    """(rows, columns) -> (rows, columns, 3)."""
    share = np.clip(weights, 0, 1)[:, :, None] ** 0.7  # small weights are to be seen, too
    colors = (1 - share) * np.array(PAPER) + share * np.array(DARKEST)
    return np.where(weights[:, :, None] == 0, np.array(MASKED), colors).astype(np.uint8)
