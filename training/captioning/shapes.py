"""Drawings of the lexicon's nouns, on a square of `size` pixels, in one colour with darker details."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from training.captioning.lexicon import Rgb

Draw = ImageDraw.ImageDraw
Points = list[tuple[float, float]]
OVERSAMPLING = 3
"""Drawn so many times as large and shrunk: smooth edges."""


def drawing(name: str, colour: Rgb, size: int, degrees: float) -> Image.Image:
    """A noun, RGBA, turned around its middle; it fills the square but for what turning needs."""
    side = size * OVERSAMPLING
    image = Image.new("RGBA", (side, side), (*colour, 0))
    _PAINTERS[name](ImageDraw.Draw(image), side, colour)
    turned = image.rotate(degrees, Image.Resampling.BICUBIC) if degrees else image
    return turned.resize((size, size), Image.Resampling.LANCZOS)


def shade(colour: Rgb, factor: float) -> Rgb:
    """Darker below 1; above 1 lighter."""
    red, green, blue = (round(min(255, value * factor)) for value in colour)
    return red, green, blue


def _box(side: int, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return left * side, top * side, right * side, bottom * side


def _scaled(side: int, points: Points) -> Points:
    return [(x * side, y * side) for x, y in points]


def _circle(draw: Draw, side: int, colour: Rgb) -> None:
    draw.ellipse(_box(side, 0.05, 0.05, 0.95, 0.95), colour)


def _square(draw: Draw, side: int, colour: Rgb) -> None:
    draw.rectangle(_box(side, 0.09, 0.09, 0.91, 0.91), colour)


def _triangle(draw: Draw, side: int, colour: Rgb) -> None:
    draw.polygon(_scaled(side, [(0.5, 0.06), (0.95, 0.9), (0.05, 0.9)]), colour)


def _star(draw: Draw, side: int, colour: Rgb) -> None:
    points = [
        (0.5 + radius * math.sin(math.pi * index / 5), 0.52 - radius * math.cos(math.pi * index / 5))
        for index in range(10)
        for radius in [0.48 if index % 2 == 0 else 0.2]
    ]
    draw.polygon(_scaled(side, points), colour)


def _heart(draw: Draw, side: int, colour: Rgb) -> None:
    points = []
    for step in range(120):
        angle = 2 * math.pi * step / 120
        across = 16 * math.sin(angle) ** 3
        down = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
        points.append((0.5 + across / 36, 0.46 - down / 36))
    draw.polygon(_scaled(side, points), colour)


def _diamond(draw: Draw, side: int, colour: Rgb) -> None:
    draw.polygon(_scaled(side, [(0.5, 0.02), (0.88, 0.5), (0.5, 0.98), (0.12, 0.5)]), colour)


def _ring(draw: Draw, side: int, colour: Rgb) -> None:
    draw.ellipse(_box(side, 0.05, 0.05, 0.95, 0.95), outline=colour, width=round(side * 0.17))


def _cross(draw: Draw, side: int, colour: Rgb) -> None:
    draw.rectangle(_box(side, 0.37, 0.05, 0.63, 0.95), colour)
    draw.rectangle(_box(side, 0.05, 0.37, 0.95, 0.63), colour)


def _moon(draw: Draw, side: int, colour: Rgb) -> None:
    draw.ellipse(_box(side, 0.08, 0.05, 0.98, 0.95), colour)
    draw.ellipse(_box(side, 0.38, 0.02, 1.16, 0.8), (*colour, 0))


def _house(draw: Draw, side: int, colour: Rgb) -> None:
    draw.rectangle(_box(side, 0.15, 0.45, 0.85, 0.95), colour)
    draw.polygon(_scaled(side, [(0.5, 0.05), (0.97, 0.46), (0.03, 0.46)]), shade(colour, 0.7))
    draw.rectangle(_box(side, 0.42, 0.66, 0.58, 0.95), shade(colour, 0.45))
    for left in (0.22, 0.64):
        draw.rectangle(_box(side, left, 0.54, left + 0.14, 0.66), (206, 230, 244))


def _tree(draw: Draw, side: int, colour: Rgb) -> None:
    draw.rectangle(_box(side, 0.44, 0.6, 0.56, 0.97), (104, 66, 34))
    for box in ((0.12, 0.26, 0.56, 0.7), (0.44, 0.26, 0.88, 0.7), (0.26, 0.04, 0.74, 0.5)):
        draw.ellipse(_box(side, *box), colour)


def _fish(draw: Draw, side: int, colour: Rgb) -> None:
    draw.polygon(_scaled(side, [(0.7, 0.5), (0.98, 0.26), (0.98, 0.74)]), shade(colour, 0.75))
    draw.polygon(_scaled(side, [(0.34, 0.34), (0.6, 0.16), (0.62, 0.4)]), shade(colour, 0.75))
    draw.ellipse(_box(side, 0.03, 0.28, 0.8, 0.74), colour)
    draw.ellipse(_box(side, 0.14, 0.41, 0.24, 0.51), "white")
    draw.ellipse(_box(side, 0.16, 0.43, 0.21, 0.49), "black")


def _car(draw: Draw, side: int, colour: Rgb) -> None:
    draw.polygon(_scaled(side, [(0.24, 0.5), (0.34, 0.28), (0.66, 0.28), (0.78, 0.5)]), shade(colour, 0.8))
    draw.polygon(_scaled(side, [(0.3, 0.49), (0.37, 0.33), (0.49, 0.33), (0.49, 0.49)]), (206, 230, 244))
    draw.polygon(_scaled(side, [(0.53, 0.49), (0.53, 0.33), (0.63, 0.33), (0.71, 0.49)]), (206, 230, 244))
    draw.rounded_rectangle(_box(side, 0.03, 0.48, 0.97, 0.7), side * 0.06, colour)
    for left in (0.16, 0.62):
        draw.ellipse(_box(side, left, 0.58, left + 0.22, 0.8), (40, 40, 42))
        draw.ellipse(_box(side, left + 0.07, 0.65, left + 0.15, 0.73), (190, 190, 194))


def _flower(draw: Draw, side: int, colour: Rgb) -> None:
    draw.line(_scaled(side, [(0.5, 0.5), (0.5, 0.98)]), (40, 128, 48), round(side * 0.05))
    for index in range(6):
        angle = math.pi * index / 3
        x, y = 0.5 + 0.2 * math.sin(angle), 0.34 - 0.2 * math.cos(angle)
        draw.ellipse(_box(side, x - 0.14, y - 0.14, x + 0.14, y + 0.14), colour)
    draw.ellipse(
        _box(side, 0.39, 0.23, 0.61, 0.45), (112, 70, 30) if colour[2] < 60 and colour[1] > 110 else (248, 212, 40)
    )


def _cup(draw: Draw, side: int, colour: Rgb) -> None:
    draw.ellipse(_box(side, 0.56, 0.32, 0.96, 0.72), outline=shade(colour, 0.75), width=round(side * 0.08))
    draw.polygon(_scaled(side, [(0.1, 0.2), (0.74, 0.2), (0.66, 0.9), (0.18, 0.9)]), colour)
    draw.ellipse(_box(side, 0.1, 0.12, 0.74, 0.28), shade(colour, 0.6))


def _boat(draw: Draw, side: int, colour: Rgb) -> None:
    draw.line(_scaled(side, [(0.48, 0.04), (0.48, 0.7)]), (104, 66, 34), round(side * 0.04))
    draw.polygon(_scaled(side, [(0.53, 0.08), (0.53, 0.6), (0.9, 0.6)]), shade(colour, 0.75))
    draw.polygon(_scaled(side, [(0.43, 0.18), (0.43, 0.6), (0.14, 0.6)]), shade(colour, 0.75))
    draw.polygon(_scaled(side, [(0.02, 0.66), (0.98, 0.66), (0.8, 0.94), (0.2, 0.94)]), colour)


def _mushroom(draw: Draw, side: int, colour: Rgb) -> None:
    draw.rounded_rectangle(_box(side, 0.36, 0.46, 0.64, 0.96), side * 0.1, (236, 222, 196))
    draw.pieslice(_box(side, 0.04, 0.06, 0.96, 1.06), 180, 360, colour)
    for x, y, radius in ((0.3, 0.38, 0.06), (0.52, 0.22, 0.07), (0.72, 0.4, 0.05)):
        dot = (236, 222, 196) if sum(colour) < 690 else (180, 180, 184)
        draw.ellipse(_box(side, x - radius, y - radius, x + radius, y + radius), dot)


def _balloon(draw: Draw, side: int, colour: Rgb) -> None:
    draw.line(_scaled(side, [(0.5, 0.7), (0.46, 0.82), (0.54, 0.98)]), (90, 90, 94), max(1, round(side * 0.025)))
    draw.polygon(_scaled(side, [(0.5, 0.66), (0.57, 0.77), (0.43, 0.77)]), shade(colour, 0.75))
    draw.ellipse(_box(side, 0.2, 0.03, 0.8, 0.71), colour)
    draw.ellipse(_box(side, 0.32, 0.14, 0.44, 0.3), shade(colour, 1.35))


_PAINTERS: dict[str, Callable[[Draw, int, Rgb], None]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "diamond": _diamond,
    "ring": _ring,
    "cross": _cross,
    "moon": _moon,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "car": _car,
    "flower": _flower,
    "cup": _cup,
    "boat": _boat,
    "mushroom": _mushroom,
    "balloon": _balloon,
}
