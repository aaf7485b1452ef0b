"""Prepared pictures: what each shows, in which words, and which rows of the features belong to it.

Pictures themselves are not kept: stamps are in their package, scenes are drawn again from their seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from PIL import Image

from training.captioning import scene_captions, stamps
from training.captioning.scene_captions import Caption
from training.captioning.scenes import Box, Scene, Wanted, draw_scene
from training.captioning.settings import CaptionRecipe
from training.errors import TrainingError
from training.section import Section

FILE_NAME = "examples.jsonl"
Split = Literal["train", "development", "test", "test-colours", "test-relations"]
SPLITS: dict[Split, Wanted] = {
    "train": "known",
    "development": "known",
    "test": "known",
    "test-colours": "colours",
    "test-relations": "relations",
}


class Example(Section, frozen=True):
    """One picture, in one or several views."""

    kind: Literal["stamp", "scene"]
    split: Split
    picture: str
    """Of a stamp its path in the package, of a scene its kind and number."""
    captions: dict[str, tuple[Caption, ...]]
    """By language all that are right; of a stamp one."""
    first_view: int
    """Its first row in the features."""
    num_views: int
    boxes: tuple[Box, ...] = ()
    """Of a scene's things, as its captions mention them."""
    number: int = 0
    """Of a scene in its split, or of a stamp."""


def scene_random(recipe: CaptionRecipe, split: Split, number: int) -> np.random.Generator:
    """What a scene is drawn with."""
    return np.random.default_rng([recipe.seed, list(SPLITS).index(split), number])


def scene_examples(recipe: CaptionRecipe, first_view: int) -> Iterator[Example]:
    """All scenes of a recipe, each with its rows of the features from `first_view` on."""
    settings = recipe.scenes
    for split, wanted in SPLITS.items():
        numbers = {"train": settings.num_train, "development": settings.num_development}
        for number in range(numbers.get(split, settings.num_test)):
            scene = draw_scene(wanted, scene_random(recipe, split, number))
            yield _scene_example(scene, recipe, split, number, first_view)
            first_view += 1


def _scene_example(scene: Scene, recipe: CaptionRecipe, split: Split, number: int, first_view: int) -> Example:
    told = {language: tuple(scene_captions.captions(scene, language)) for language in recipe.languages}
    boxes = tuple(thing.box for thing in scene.things)
    return Example(
        kind="scene",
        split=split,
        picture=f"{scene.kind}-{number}",
        captions=told,
        first_view=first_view,
        num_views=1,
        boxes=boxes,
        number=number,
    )


def stamp_examples(recipe: CaptionRecipe, root: Path, first_view: int) -> Iterator[Example]:
    """All stamps under `root`; those that are trained on in several views."""
    found = stamps.read_stamps(root, recipe.languages, recipe.stamps.max_words)
    for number, stamp in enumerate(found):
        num_views = recipe.stamps.num_views if stamp.split == "train" else 1
        told: dict[str, tuple[Caption, ...]] = {language: (Caption(text),) for language, text in stamp.captions.items()}
        yield Example(
            kind="stamp",
            split=stamp.split,
            picture=stamp.path,
            captions=told,
            first_view=first_view,
            num_views=num_views,
            number=number,
        )
        first_view += num_views


def views(example: Example, recipe: CaptionRecipe, root: Path | None) -> Iterator[Image.Image]:
    """The pictures behind an example's rows of the features, in order.

    Args:
        example: of this recipe.
        recipe: with the seeds.
        root: the folder of stamps; None where there are only scenes.
    """
    if example.kind == "scene":
        random = scene_random(recipe, example.split, example.number)
        scene = draw_scene(SPLITS[example.split], random)
        yield scene.render(max(recipe.picture.height, recipe.picture.width), random)
        return
    if root is None:
        raise TrainingError(f"{example.picture} is a stamp: say where the stamps are")
    picture = stamps.open_stamp(root / example.picture)
    for index in range(example.num_views):
        yield stamps.view(
            example.picture, picture, index, np.random.default_rng([recipe.seed, 10, example.number, index])
        )


def write_examples(examples: Sequence[Example], directory: Path) -> None:
    """One per line, as JSON."""
    (directory / FILE_NAME).write_bytes(b"".join(msgspec.json.encode(example) + b"\n" for example in examples))


def read_examples(directory: Path) -> list[Example]:
    """What `write_examples` wrote.

    Raises:
        TrainingError: the file is missing or malformed.
    """
    path = directory / FILE_NAME
    try:
        return [msgspec.json.decode(line, type=Example) for line in path.read_bytes().splitlines()]
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing: run `python -m training caption-prepare` first") from None
    except msgspec.DecodeError as error:
        raise TrainingError(f"{path} is malformed: {error}") from None
