"""Backgrounds of scenes: pale or dark, plain, shaded, striped, dotted or grainy, and unlike the objects' colours.

H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.captioning.lexicon import Rgb

MIN_DISTANCE = 90.0
"""Between the background and any object, in RGB."""
MAX_TRIES = 60
_Values = NDArray[np.float64]


def background(side: int, colours: Sequence[Rgb], random: np.random.Generator) -> Image.Image:
    """An RGB square on which things of these colours can be told apart."""
    base = _base(colours, random)
    paint = (_plain, _shaded, _striped, _dotted)[random.integers(4)]
    values = paint(side, base, random)
    grain = random.uniform(0, 6)
    values = values + random.normal(0, grain, (side, side, 1))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8), "RGB")


def _base(colours: Sequence[Rgb], random: np.random.Generator) -> _Values:
    """Pale three times out of four; of those tried the first that is far enough from all colours, or the farthest."""
    best, farthest = np.full(3, 255.0), -1.0
    for _ in range(MAX_TRIES):
        is_pale = random.random() < 0.75
        tried = random.uniform(205, 255, 3) if is_pale else random.uniform(15, 105, 3)
        nearest = min(float(np.linalg.norm(tried - np.array(colour))) for colour in colours)
        if nearest >= MIN_DISTANCE:
            return tried
        if nearest > farthest:
            best, farthest = tried, nearest
    return best


def _plain(side: int, base: _Values, random: np.random.Generator) -> _Values:  # noqa: ARG001 (all are called alike)
    return np.broadcast_to(base, (side, side, 3))


def _shaded(side: int, base: _Values, random: np.random.Generator) -> _Values:
    angle = random.uniform(0, 2 * np.pi)
    down, across = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    slope = np.cos(angle) * across + np.sin(angle) * down
    shaded: _Values = base + slope[..., None] * random.uniform(6, 18)
    return shaded


def _striped(side: int, base: _Values, random: np.random.Generator) -> _Values:
    angle, width = random.uniform(0, np.pi), random.uniform(side / 24, side / 6)
    down, across = np.mgrid[0:side, 0:side]
    phase = (np.cos(angle) * across + np.sin(angle) * down) / width
    is_stripe = (np.floor(phase) % 2)[..., None]
    striped: _Values = base + (is_stripe - 0.5) * random.uniform(8, 20)
    return striped


def _dotted(side: int, base: _Values, random: np.random.Generator) -> _Values:
    step = random.uniform(side / 16, side / 8)
    down, across = np.mgrid[0:side, 0:side]
    distance = np.hypot(down % step - step / 2, across % step - step / 2)
    is_dot = (distance < step * random.uniform(0.15, 0.3))[..., None]
    dotted: _Values = base + is_dot * random.choice([-1, 1]) * random.uniform(10, 22)
    return dotted
