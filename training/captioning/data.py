"""Captions as batches: features, ids, and where words should look.

B captions, T target length, S cells of the grid, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.captioning.examples import Example
from training.captioning.scene_captions import Caption
from training.captioning.scenes import Box
from training.captioning.settings import CaptionRecipe
from training.data import pad
from training.stream import Stream
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, Vocabulary

MAX_LENGTH_GROUP = 16
"""Batches that are cut from one sorted group of captions."""


@dataclass(frozen=True)
class Batch:
    """Captions for training or teacher-forced evaluation."""

    features: Tensor
    """(B, S, C)."""
    target_input: Tensor
    """(B, T), begin first."""
    target_output: Tensor
    """(B, T), the tag first: readers give it, but beams rank captions by all of their tokens."""
    looked_at: Tensor
    """(B, T, S), true at cells of the things that the token put out there means; nowhere where it means none."""

    @property
    def num_target_tokens(self) -> int:
        """Tags included."""
        return int((self.target_output != PAD_ID).sum())

    @property
    def num_captions(self) -> int:
        """B."""
        return len(self.target_output)

    @property
    def num_guided(self) -> int:
        """Target tokens that should look somewhere."""
        return int(self.is_guided.sum())

    @property
    def is_guided(self) -> Tensor:
        """(B, T)."""
        return self.looked_at.any(dim=-1) & (self.target_output != PAD_ID)

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        tensors = self.features, self.target_input, self.target_output, self.looked_at
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


@dataclass(frozen=True)
class Told:
    """One caption of one picture in one language, to be learned."""

    example: Example
    language: str
    caption: Caption
    view: int


class CaptionData:
    """Examples with their features, told in batches."""

    def __init__(
        self,
        examples: Sequence[Example],
        features: NDArray[np.float16],
        vocabulary: Vocabulary,
        recipe: CaptionRecipe,
    ) -> None:
        """`features`: (N, S, C) of all views."""
        self.examples = list(examples)
        self.features = features
        self.vocabulary = vocabulary
        self.recipe = recipe
        pieces = vocabulary.pieces()
        self.tag_ids = {language: pieces.index(tag) for language, tag in recipe.tags.items()}

    def epoch(self, number: int) -> list[list[Told]]:
        """Batches of an epoch: each scene and language once, each stamp as often as the recipe says, in new views."""
        random = np.random.default_rng([self.recipe.seed, 20, number])
        told = []
        for example in self.examples:
            for _ in range(self.recipe.stamps.repeats if example.kind == "stamp" else 1):
                for language, captions in example.captions.items():
                    caption = captions[random.integers(len(captions))]
                    view = example.first_view + int(random.integers(example.num_views))
                    told.append(Told(example, language, caption, view))
        order = random.permutation(len(told))
        size, batches = self.recipe.batch_captions, []
        for start in range(0, len(order), size * MAX_LENGTH_GROUP):
            group = [told[index] for index in order[start : start + size * MAX_LENGTH_GROUP]]
            group.sort(key=lambda one: len(one.caption.text))
            batches += [group[first : first + size] for first in range(0, len(group), size)]
        return [batches[index] for index in random.permutation(len(batches))]

    def fixed(self) -> Iterator[list[Told]]:
        """Every example once in each language, its plainest caption and first view: for validation."""
        size = self.recipe.batch_captions
        told = [
            Told(example, language, captions[0], example.first_view)
            for example in self.examples
            for language, captions in example.captions.items()
        ]
        return (told[start : start + size] for start in range(0, len(told), size))

    def batch(self, told: Sequence[Told]) -> Batch:
        """Features, ids and guidance of captions."""
        rows = [self._row(one) for one in told]
        ids = [[self.tag_ids[one.language], *row[0]] for one, row in zip(told, rows, strict=True)]
        output = pad([np.array([*tokens, END_ID], np.int32) for tokens in ids])
        inputs = pad([np.array([BEGIN_ID, *tokens], np.int32) for tokens in ids])
        looked_at = torch.zeros(*output.shape, self.recipe.picture.num_cells, dtype=torch.bool)
        for index, (_, cells) in enumerate(rows):
            for position, seen in cells.items():
                looked_at[index, position + 1] = seen  # the tag comes first
        return Batch(self.features_of([one.view for one in told]), inputs, output, looked_at)

    def features_of(self, view_rows: Sequence[int]) -> Tensor:
        """(B, S, C) float32."""
        return torch.from_numpy(np.stack([self.features[row] for row in view_rows]).astype(np.float32))

    def _row(self, told: Told) -> tuple[list[int], dict[int, Tensor]]:
        """Ids without tag and end, and by their position the cells that each looks at."""
        pieces = self.vocabulary.encode_with_places(told.caption.text)[: self.recipe.max_caption_tokens]
        seen: dict[int, Tensor] = {}
        for position, (_, begin, end) in enumerate(pieces):
            for mention in told.caption.mentions:
                if begin < mention.end and end > mention.begin:
                    boxes = [told.example.boxes[thing] for thing in mention.things]
                    seen[position] = cells_of(boxes, self.recipe.picture.grid)
        return [piece for piece, _, _ in pieces], seen


@dataclass
class CaptionStream(Stream[Sequence[Told], Batch]):
    """Endless training batches."""

    data: CaptionData

    def plans(self, epoch: int) -> list[list[Told]]:
        """See `Stream`: the captions of each batch."""
        return self.data.epoch(epoch)

    def batch(self, plan: Sequence[Told]) -> Batch:
        """See `Stream`."""
        return self.data.batch(plan)


def cells_of(boxes: Sequence[Box], grid: tuple[int, int]) -> Tensor:
    """(S,), true at the cells whose middle one of the boxes holds; of a smaller box at the cell of its middle."""
    rows, columns = grid
    down = (torch.arange(rows).repeat_interleave(columns) + 0.5) / rows
    across = (torch.arange(columns).repeat(rows) + 0.5) / columns
    cells = torch.zeros(rows * columns, dtype=torch.bool)
    for box in boxes:
        cells |= (across > box.left) & (across < box.right) & (down > box.top) & (down < box.bottom)
        row, column = int((box.top + box.bottom) / 2 * rows), int((box.left + box.right) / 2 * columns)
        cells[min(row, rows - 1) * columns + min(column, columns - 1)] = True
    return cells
