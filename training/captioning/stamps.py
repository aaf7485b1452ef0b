"""Tux Paint's stamps: pictures with captions in many languages, of Debian's package tuxpaint-stamps-default (GPL-2)."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import resvg_py
from PIL import Image, ImageOps

from training.captioning.lexicon import COLOURS
from training.captioning.pictures import on_white
from training.corpus.debian import Archive, Package
from training.errors import TrainingError

PACKAGE = "tuxpaint-stamps-default"
FOLDER = Path("usr/share/tuxpaint/stamps")
MAX_SIDE = 448
"""Larger pictures are shrunk when they are read."""
MAX_CHARACTERS = 120
"""Of a caption, where words are long."""
_FIRST_SENTENCE = re.compile(r"(?<=[\w)’'][\w)’'][.!?…])\s.*", re.DOTALL)
_TESTED, _DEVELOPED = range(10), range(10, 15)
_MEANT_AS_THEY_STAND = ("symbols", "town/roadsigns", "town/flags")
"""Folders of pictures that are something else when mirrored."""


@dataclass(frozen=True)
class Stamp:
    """A picture of the package and its caption in each language."""

    path: str
    """Inside the folder of stamps."""
    captions: dict[str, str]
    split: Literal["train", "development", "test"]


def download_stamps(cache: Path) -> Package:
    """The package, by apt.

    Raises:
        TrainingError: the archive does not have it or does not answer.
    """
    archive = Archive(cache)
    offer = archive.offers([PACKAGE]).get(PACKAGE)
    if offer is None:
        raise TrainingError(f"the archive has no package {PACKAGE}: use --set stamps.num_views=0")
    return archive.packages([offer])[PACKAGE]


def read_stamps(root: Path, languages: Sequence[str], max_words: int) -> list[Stamp]:
    """All stamps with a caption in every language, by path.

    Pictures of the same content are in the same split, which their hash decides.

    Args:
        root: the folder of stamps.
        languages: BCP-47 codes.
        max_words: longest first sentence.

    Raises:
        TrainingError: there are none.
    """
    stamps = []
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".png", ".svg")):
        captions = _read_captions(path.with_suffix(".txt"), languages)
        if len(captions) == len(languages) and all(_is_short(text, max_words) for text in captions.values()):
            stamps.append(Stamp(str(path.relative_to(root)), captions, _split(path)))
    if not stamps:
        raise TrainingError(f"{root} holds no pictures with captions in {', '.join(languages)}")
    return stamps


def _read_captions(path: Path, languages: Sequence[str]) -> dict[str, str]:
    """First sentences; English stands on the first line, others as `ko.utf8=…`."""
    if not path.is_file():
        return {}
    first, *others = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    translated = dict(re.findall(r"^(\w+)\.utf8=(.+)$", "\n".join(others), re.MULTILINE))
    texts = {"en": first, **translated}
    found = {language: _first_sentence(texts[language]) for language in languages if language in texts}
    return {language: text for language, text in found.items() if text}


def _first_sentence(text: str) -> str:
    return _FIRST_SENTENCE.sub("", " ".join(text.split()))


def _is_short(text: str, max_words: int) -> bool:
    return len(text.split()) <= max_words and len(text) <= MAX_CHARACTERS


def _split(path: Path) -> Literal["train", "development", "test"]:
    number = int(hashlib.sha256(path.read_bytes()).hexdigest()[:8], 16) % 100
    if number in _TESTED:
        return "test"
    return "development" if number in _DEVELOPED else "train"


def open_stamp(path: Path) -> Image.Image:
    """A stamp's picture, RGBA, no side longer than MAX_SIDE.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        if path.suffix == ".svg":
            png = resvg_py.svg_to_bytes(svg_string=path.read_text(encoding="utf-8"), width=MAX_SIDE, dpi=96)
            picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
        else:
            picture = Image.open(path).convert("RGBA")
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from None
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return picture


def view(path: str, picture: Image.Image, index: int, random: np.random.Generator) -> Image.Image:
    """How a stamp may be met: view 0 as it is; others mirrored, turned, smaller, aside and on another ground.

    Args:
        path: inside the folder of stamps.
        picture: of `open_stamp`.
        index: of the view.
        random: decides all but the first.
    """
    if index == 0:
        return picture
    if random.random() < 0.5 and not path.startswith(_MEANT_AS_THEY_STAND):
        picture = ImageOps.mirror(picture)
    picture = picture.rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    side = round(max(picture.size) * random.uniform(1.0, 1.7))
    canvas = Image.new("RGB", (side, side), _ground(random))
    place = (int(random.integers(0, side - length + 1)) for length in picture.size)
    canvas.paste(picture, (next(place), next(place)), picture)
    width, height = (round(side * random.uniform(0.85, 1.0)) for _ in range(2))
    left, top = (side - width) // 2, (side - height) // 2
    return on_white(canvas.crop((left, top, left + width, top + height)))


def _ground(random: np.random.Generator) -> tuple[int, int, int]:
    """White half of the time; else pale, or rarely any colour of the lexicon, lightened."""
    if random.random() < 0.5:
        return 255, 255, 255
    if random.random() < 0.7:
        red, green, blue = (int(value) for value in random.integers(215, 256, 3))
        return red, green, blue
    red, green, blue = (round(value * 0.5 + 127) for value in COLOURS[random.integers(len(COLOURS))].rgb)
    return red, green, blue
