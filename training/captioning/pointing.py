"""The pointing game: does the cell that a word attends to most lie on the thing that the word means?

B pictures, T target length, S cells of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.captioning.data import CaptionData, Told, cells_of
from training.captioning.examples import Example
from training.captioning.model import Captioner


@dataclass(frozen=True)
class Look:
    """Where one word of a right caption looked, read by the model."""

    is_noun: bool
    """Else a colour."""
    is_hit: bool
    """The cell with most attention is one of the thing's."""
    paid: float
    """Attention on all cells of the thing."""
    chance: float
    """Their share of the picture: what attention that knows nothing would pay, and hit."""


@dataclass
class Pointing:
    """All words of a kind of pictures."""

    looks: list[Look] = field(default_factory=list)

    def shares(self) -> tuple[float, float, float, float]:
        """Nouns and colours that point at their things; attention paid to them; chance."""
        nouns, colours = ([look.is_hit for look in self.looks if look.is_noun == is_noun] for is_noun in (True, False))
        paid, chance = [look.paid for look in self.looks], [look.chance for look in self.looks]
        return _mean(nouns), _mean(colours), _mean(paid), _mean(chance)


@torch.inference_mode()
def point(model: Captioner, data: CaptionData, examples: Sequence[Example], language: str) -> list[Look]:
    """Where each word looks that means a thing, in every scene's plainest caption; a word's tokens share attention."""
    told = [Told(example, language, example.captions[language][0], example.first_view) for example in examples]
    batch = data.batch(told)
    _, attention = model.attend_and_tell(batch.features, model.lengths(batch.features), batch.target_input)
    return [look for one, weights in zip(told, attention, strict=True) for look in _looks(data, one, weights)]


def _looks(data: CaptionData, told: Told, weights: Tensor) -> list[Look]:
    """Of a caption with attention (T, S)."""
    pieces = data.vocabulary.encode_with_places(told.caption.text)[: data.recipe.max_caption_tokens]
    found = []
    for mention in told.caption.mentions:
        places = [
            position + 1  # behind the tag
            for position, (_, begin, end) in enumerate(pieces)
            if begin < mention.end and end > mention.begin
        ]
        if not places:
            continue
        cells = cells_of([told.example.boxes[thing] for thing in mention.things], data.recipe.picture.grid)
        mean = weights[places].mean(dim=0)  # (S,)
        is_hit = bool(cells[int(mean.argmax())])
        found.append(Look(mention.is_noun, is_hit, float(mean[cells].sum()), float(cells.float().mean())))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
