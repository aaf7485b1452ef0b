"""Scenes: what is where, drawn at random, with combinations that training never sees.

Lengths are shares of the picture's side; (0, 0) is its top left.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from training.captioning.backgrounds import background
from training.captioning.lexicon import COLOURS, CONTAINERS, FILLED, NOUNS, NUMBERS, PLACES, Colour, Noun, Place
from training.captioning.shapes import drawing

Random = np.random.Generator
Kind = Literal["single", "left", "above", "inside", "count", "row"]
Wanted = Literal["known", "colours", "relations"]
"""Combinations that training sees; with a noun that it never sees in that colour; with two that it never sees so
placed."""
HELD_OUT_SHARE = 7
"""One combination of so many is held out."""
MAX_DRAWS = 10_000
_MIN_CONTRAST = 110.0


@dataclass(frozen=True)
class Box:
    """Left, top, right and bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, across: float, down: float, side: float) -> Box:
        """A square around a centre, moved so that the picture holds it."""
        half = float(side) / 2
        across, down = (float(min(max(value, half), 1 - half)) for value in (across, down))
        return cls(across - half, down - half, across + half, down + half)


@dataclass(frozen=True)
class Thing:
    """A noun in a colour, somewhere."""

    noun: Noun
    colour: Colour
    box: Box
    degrees: float = 0.0

    @property
    def is_held_out(self) -> bool:
        """Whether training never sees this noun in this colour."""
        return _is_drawn(f"{self.colour.name} {self.noun.name}")


@dataclass(frozen=True)
class Scene:
    """Things in the order in which they are told: left to right, top to bottom, inner before outer."""

    kind: Kind
    things: tuple[Thing, ...]
    size: Literal["big", "small"] | None = None
    place: Place | None = None

    @property
    def novelty(self) -> Wanted:
        """What of it training never sees, if anything; colours before relations."""
        if any(thing.is_held_out for thing in self.things):
            return "colours"
        if self.kind in ("left", "above"):
            first, second = self.things
            if _is_drawn(f"{first.noun.name} {self.kind} {second.noun.name}"):
                return "relations"
        return "known"

    def render(self, side: int, random: Random) -> Image.Image:
        """An RGB square of `side` pixels; background and texture are drawn from `random`."""
        colours = [thing.colour.rgb for thing in self.things]
        on_ground = colours[-1:] if self.kind == "inside" else colours
        picture = background(side, on_ground, random)
        for thing in reversed(self.things):  # what is inside is painted last
            size = max(1, round((thing.box.right - thing.box.left) * side))
            image = drawing(thing.noun.name, _varied(thing.colour, random), size, thing.degrees)
            picture.paste(image, (round(thing.box.left * side), round(thing.box.top * side)), image)
        return picture


def draw_scene(wanted: Wanted, random: Random) -> Scene:
    """A scene at random, of the combinations wanted."""
    for _ in range(MAX_DRAWS):
        kinds: tuple[Kind, ...] = ("left", "above") if wanted == "relations" else _KINDS
        kind = kinds[random.choice(len(kinds), p=None if wanted == "relations" else _SHARES)]
        scene = _DRAWERS[kind](random)
        if scene.novelty == wanted:
            return scene
    raise AssertionError(f"no scene with {wanted} combinations in {MAX_DRAWS} draws")


def _is_drawn(combination: str) -> bool:
    """By hash: the same on every machine and in every version that has the words."""
    return zlib.crc32(combination.encode()) % HELD_OUT_SHARE == 0


def _varied(colour: Colour, random: Random) -> tuple[int, int, int]:
    """Nearly the colour."""
    red, green, blue = (int(np.clip(value + random.integers(-10, 11), 0, 255)) for value in colour.rgb)
    return red, green, blue


def _noun(random: Random) -> Noun:
    return NOUNS[random.integers(len(NOUNS))]


def _colour(random: Random) -> Colour:
    return COLOURS[random.integers(len(COLOURS))]


def _thing(random: Random, across: float, down: float, side: float) -> Thing:
    return Thing(_noun(random), _colour(random), Box.around(across, down, side), random.uniform(-8, 8))


def _different(draw: Callable[[int], Thing], number: int) -> tuple[Thing, ...]:
    """Things of which no two are the same noun in the same colour."""
    things: list[Thing] = []
    while len(things) < number:
        thing = draw(len(things))
        if all((thing.noun, thing.colour) != (other.noun, other.colour) for other in things):
            things.append(thing)
    return tuple(things)


def _single(random: Random) -> Scene:
    place = PLACES[random.integers(len(PLACES))]
    is_big = random.random() < 0.5
    side = random.uniform(0.42, 0.54) if is_big else random.uniform(0.15, 0.21)
    across, down = ((2 * part + 1) / 6 + random.uniform(-0.06, 0.06) for part in (place.column, place.row))
    return Scene("single", (_thing(random, across, down, side),), "big" if is_big else "small", place)


def _beside(random: Random, kind: Kind) -> Scene:
    middle, gap, aside = random.uniform(0.46, 0.54), random.uniform(0.38, 0.56), random.uniform(0.3, 0.7)
    along = (middle - gap / 2, middle + gap / 2)

    def draw(index: int) -> Thing:
        off = aside + random.uniform(-0.04, 0.04)
        centre = (along[index], off) if kind == "left" else (off, along[index])
        return _thing(random, *centre, random.uniform(0.22, 0.34))

    return Scene(kind, _different(draw, 2))


def _left(random: Random) -> Scene:
    return _beside(random, "left")


def _above(random: Random) -> Scene:
    return _beside(random, "above")


def _inside(random: Random) -> Scene:
    """One in another that is large and of a colour which lets it be seen."""
    across, down, side = random.uniform(0.4, 0.6), random.uniform(0.4, 0.6), random.uniform(0.62, 0.78)
    outer = _thing(random, across, down, side)
    while outer.noun.name not in CONTAINERS:
        outer = _thing(random, across, down, side)
    box = outer.box
    middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2 - (0.04 if outer.noun.name == "heart" else 0)
    size = random.uniform(0.22, 0.28)
    inner = _thing(random, *middle, size)
    while inner.noun.name not in FILLED or _contrast(inner.colour, outer.colour) < _MIN_CONTRAST:
        inner = _thing(random, *middle, size)
    return Scene("inside", (inner, outer))


def _contrast(one: Colour, other: Colour) -> float:
    return float(np.linalg.norm(np.subtract(one.rgb, other.rgb)))


def _count(random: Random) -> Scene:
    """Two to four of a kind, in different ninths of the picture."""
    number = int(random.choice(list(NUMBERS)))
    noun, colour, side = _noun(random), _colour(random), random.uniform(0.2, 0.27)
    cells = sorted(random.choice(9, number, replace=False))
    things = []
    for cell in cells:
        across, down = ((2 * part + 1) / 6 + random.uniform(-0.03, 0.03) for part in (cell % 3, cell // 3))
        things.append(Thing(noun, colour, Box.around(across, down, side), random.uniform(-8, 8)))
    return Scene("count", tuple(things))


def _row(random: Random) -> Scene:
    down = random.uniform(0.3, 0.7)

    def draw(index: int) -> Thing:
        across = (2 * index + 1) / 6 + random.uniform(-0.02, 0.02)
        return _thing(random, across, down + random.uniform(-0.06, 0.06), random.uniform(0.2, 0.27))

    return Scene("row", _different(draw, 3))


_KINDS: tuple[Kind, ...] = ("single", "left", "above", "inside", "count", "row")
_SHARES = (0.26, 0.16, 0.16, 0.14, 0.12, 0.16)
_DRAWERS: dict[Kind, Callable[[Random], Scene]] = {
    "single": _single,
    "left": _left,
    "above": _above,
    "inside": _inside,
    "count": _count,
    "row": _row,
}
