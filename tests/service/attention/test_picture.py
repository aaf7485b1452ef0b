"""The map as a PNG file."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from service.client.attention.fonts import FontError, font_for
from service.client.attention.picture import CELL, MARGIN, save


def test_cells_are_as_dark_as_their_weights(tmp_path: Path) -> None:
    weights = np.array([[1.0, 0.2, 0.0], [0.5, 0.5, 0.0]])
    save(tmp_path / "map.png", weights, ["one", "two"], ["a", "b", "c"], "title")
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("L"), int)
    right = pixels.shape[1] - MARGIN - CELL // 2 - max(0, _overhang(pixels))
    bottom = pixels.shape[0] - MARGIN - CELL // 2
    row = [pixels[bottom - CELL, right - place * CELL] for place in (2, 1, 0)]
    assert row[0] < row[1] < row[2] < 255
    assert pixels[bottom, right - 2 * CELL] == pixels[bottom, right - CELL]


def _overhang(pixels: np.ndarray) -> int:
    """How far a title reaches beyond the map."""
    last = pixels.shape[0] - MARGIN - 1
    cells = np.flatnonzero(pixels[last] < 255)
    return int(pixels.shape[1] - MARGIN - 1 - cells.max())


def test_a_font_that_has_the_letters_is_found(tmp_path: Path) -> None:
    shutil.copy(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", tmp_path / "Some.ttf")
    (tmp_path / "broken.otf").write_bytes(b"no font")
    assert font_for("Жук", places=[tmp_path]).path == str(tmp_path / "Some.ttf")
    assert font_for("plain", places=[]).getname()[0] != "DejaVu Sans"
    assert font_for("smile 🙂 ▁", places=[])
    assert font_for("Жук", tmp_path / "Some.ttf").getname()[0] == "DejaVu Sans"


def test_no_font_for_the_letters(tmp_path: Path) -> None:
    shutil.copy(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", tmp_path / "Some.ttf")
    with pytest.raises(FontError, match="no installed font has '일'.*fonts-noto-cjk"):
        font_for("파일", places=[tmp_path])
    (tmp_path / "broken.otf").write_bytes(b"no font")
    with pytest.raises(FontError, match=r"broken\.otf is no font"):
        font_for("파일", tmp_path / "broken.otf")
