"""A caption recipe: everything that decides what a training run of captions produces, in one YAML file."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from training.captioning.efficientnet import STRIDE, EfficientNetSettings
from training.model_settings import RnnSettings
from training.recipe import TrainerSettings, VocabularySettings, convert, read_content
from training.section import NonNegative, Positive, Section
from training.tags import symbol

Weight = Annotated[float, msgspec.Meta(ge=0.0)]


class PictureSettings(Section, frozen=True):
    """What the encoder reads."""

    height: Positive = 224
    width: Positive = 224

    def __post_init__(self) -> None:
        if self.height % STRIDE or self.width % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features."""
        return self.height // STRIDE, self.width // STRIDE

    @property
    def num_cells(self) -> int:
        """Of the grid."""
        return self.grid[0] * self.grid[1]


class StampSettings(Section, frozen=True):
    """The captioned pictures of Debian's tuxpaint-stamps-default."""

    num_views: NonNegative = 8
    """Of each training picture: as it is, and otherwise turned, mirrored, moved, on another ground; 0: no stamps."""
    repeats: Positive = 4
    """How often each is shown in an epoch, in whichever view."""
    max_words: Positive = 12
    """Of a caption's first sentence; pictures with longer ones are left out."""


class SceneSettings(Section, frozen=True):
    """Rendered scenes; see `scenes`."""

    num_train: NonNegative = 9000
    num_development: NonNegative = 200
    num_test: NonNegative = 300
    """In each of the three test sets: known combinations, colours never seen on an object, relations never seen."""


class AttentionSettings(Section, frozen=True):
    """What is asked of attention beside good captions."""

    doubly_stochastic: Weight = 0.1
    """Weight of the mean over cells of (1 - attention over all words)²: look everywhere (Xu et al. 2015, section
    4.2.1)."""
    guidance: Weight = 0.0
    """Weight of -log of the attention that words of scenes pay to the cells of the things they mean; 0: the paper's
    attention, which nobody tells where to look."""


class CaptionRecipe(Section, frozen=True):
    """One training run of captions."""

    name: str
    languages: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("en", "ko")
    """BCP-47 codes; every caption begins with the tag of its own."""
    seed: NonNegative = 1
    picture: PictureSettings = PictureSettings()
    stamps: StampSettings = StampSettings()
    scenes: SceneSettings = SceneSettings()
    vocabulary: VocabularySettings = VocabularySettings(
        size=2000, kind="bpe", character_coverage=1.0, byte_fallback=False
    )
    encoder: EfficientNetSettings = EfficientNetSettings()
    decoder: RnnSettings = RnnSettings()
    attention: AttentionSettings = AttentionSettings()
    trainer: TrainerSettings = TrainerSettings()
    batch_captions: Positive = 64
    max_caption_tokens: Positive = 40
    """End of sentence not counted."""

    def __post_init__(self) -> None:
        if set(self.languages) - {"en", "ko"}:
            raise ValueError("languages: scenes are told in en and ko")
        if self.decoder.decoder != "bahdanau" or self.decoder.initial_state != "projected":
            raise ValueError("decoder: captions are written by the bahdanau decoder, initial_state projected")

    @property
    def tags(self) -> dict[str, str]:
        """By language, the first piece of its captions."""
        return {language: symbol(language) for language in self.languages}


def load_caption_recipe(name_or_path: str, overrides: tuple[str, ...] = ()) -> CaptionRecipe:
    """Read a recipe; see `training.recipe.load_recipe`.

    Raises:
        TrainingError: the file is missing, or a key or value is wrong; the message names it.
    """
    return parse_caption_recipe(*read_content(name_or_path, overrides))


def parse_caption_recipe(content: dict[str, Any], origin: str) -> CaptionRecipe:
    """Plain values as a recipe; errors name `origin`, the file they came from."""
    return convert(content, CaptionRecipe, origin)
