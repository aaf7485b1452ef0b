"""Fonts that are installed, and what they can write. Needs Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import ImageFont

FONT_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
PREFERRED = ("notosanscjk", "notosanskr", "nanumgothic", "nanum", "applesdgothic", "malgun", "undotum", "dejavusans")
"""Beginnings of file names: plain faces with many characters, looked at first."""
SIZE = 16
MISSING = "\U0010ffff"
"""No font has it: what is drawn instead tells what a missing character looks like."""


class FontError(ValueError):
    """No font can write a text; the message says what to do."""


def directories() -> list[Path]:
    """Where systems keep fonts."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share"))
    return [
        *(Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), data / "fonts", home / ".fonts"),
        *(Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"),
        Path(os.environ.get("WINDIR", "C:\\Windows")) / "Fonts",
    ]


def font_for(text: str, file: Path | None = None, places: Sequence[Path] | None = None) -> ImageFont.FreeTypeFont:
    """A font that has every letter and digit of a text; of signs such as emoji, no text font has all.

    Args:
        text: to be written.
        file: the font to use; None: Pillow's own, or else the first that is installed and has them all.
        places: directories to look in; None: `directories`.

    Raises:
        FontError: there is none; the message names a character and a way out.
    """
    characters = "".join(sorted({character for character in text if character.isalnum()}))
    if file is not None:
        font = _open(file)
        if font is None:
            raise FontError(f"{file} is no font that Pillow can read")
        return font
    own = ImageFont.load_default(SIZE)
    assert isinstance(own, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    missing = _first_missing(own, characters)
    if not missing:
        return own
    for path in _installed(tuple(places if places is not None else directories())):
        font = _open(path)
        if font is not None and not _first_missing(font, characters):
            return font
    raise FontError(
        f"no installed font has {missing!r} and the other characters of this text: install one (on Debian "
        "fonts-noto-cjk or fonts-nanum), or name a file with --font"
    )


@cache
def _installed(places: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(sorted((path for place in places for path in _fonts_in(place)), key=_preference))


def _fonts_in(place: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(place):
        yield from (Path(directory) / name for name in names if name.lower().endswith(FONT_SUFFIXES))


def _preference(path: Path) -> tuple[int, int, str]:
    name = path.name.lower().replace("-", "").replace("_", "")
    rank = next((index for index, known in enumerate(PREFERRED) if name.startswith(known)), len(PREFERRED))
    return rank, not any(word in name for word in ("regular", f"{PREFERRED[-1]}.")), str(path)


def _open(path: Path) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(str(path), SIZE)
    except OSError:
        return None


def _first_missing(font: ImageFont.FreeTypeFont, characters: str) -> str:
    """The first character that is drawn as those are that no font has; empty: none."""
    blank = _drawn(font, MISSING)
    return next((character for character in characters if _drawn(font, character) == blank), "")


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    pixels: Any = font.getmask(character)
    return bytes(pixels)
