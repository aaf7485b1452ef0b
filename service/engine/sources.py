"""What encoders read: sources that are encoded together, and the arrays that are made of them.

N sources of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from service.bundle.image_input import ImageInput
from service.bundle.manifest import Manifest
from service.engine.batch import Array

GROUP_TOKENS = 128
"""Source tokens, padding included, from which on a larger group is no faster for each token."""
MAX_PADDING = 0.1
"""Share of a large group that may be padding."""
GROUP_PICTURES = 8
"""A convolution takes no less time for each picture of a larger group, and memory for all of them."""


class SourceReader(Protocol):
    """Makes an encoder's inputs of what requests carry."""

    def groups(self, sources: Sequence[Any]) -> list[list[int]]:
        """Indices of sources that are best encoded together."""
        ...

    def inputs(self, sources: Sequence[Any]) -> dict[str, Array]:
        """The encoder's inputs for a group, by name."""
        ...


class TextReader:
    """Sequences of ids, end of sentence included."""

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def groups(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        """Sources of like length."""
        return group_by_length([len(source) for source in sources])

    def inputs(self, sources: Sequence[Sequence[int]]) -> dict[str, Array]:
        """`source_ids` (N, S), `source_lengths` (N,)."""
        lengths = [len(source) for source in sources]
        source_ids = np.full((len(sources), max(lengths)), self._pad_id, np.int64)
        for row, source in zip(source_ids, sources, strict=True):
            row[: len(source)] = source
        return {"source_ids": source_ids, "source_lengths": np.array(lengths, np.int64)}


class PictureReader:
    """Pictures, all of one size."""

    def __init__(self, image: ImageInput) -> None:
        self._image = image

    def groups(self, sources: Sequence[Any]) -> list[list[int]]:
        """As they come, a few at a time."""
        return [
            list(range(start, min(start + GROUP_PICTURES, len(sources))))
            for start in range(0, len(sources), GROUP_PICTURES)
        ]

    def inputs(self, sources: Sequence[Any]) -> dict[str, Array]:
        """`pixels` (N, 3, H, W), normalised."""
        return {"pixels": self._image.normalized([source.pixels for source in sources])}


def reader_of(manifest: Manifest) -> SourceReader:
    """What reads the sources of a model."""
    if manifest.image is msgspec.UNSET:
        return TextReader(manifest.vocabulary.pad_id)
    return PictureReader(manifest.image)


def group_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of sources that are encoded together, longest first.

    A group is closed when it is large enough to keep the encoder busy and the next source would be mostly padding.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    groups: list[list[int]] = []
    num_real = 0
    for index in order:
        if groups:
            num_padded = lengths[groups[-1][0]] * (len(groups[-1]) + 1)
            is_large = num_padded > GROUP_TOKENS
            if not is_large or num_real + lengths[index] >= num_padded * (1 - MAX_PADDING):
                groups[-1].append(index)
                num_real += lengths[index]
                continue
        groups.append([index])
        num_real = lengths[index]
    return groups
