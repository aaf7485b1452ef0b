"""What a model reads in place of text: pictures of one size, and what becomes of their pixels before the encoder.

N pictures, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

LanguageCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=100)]
"""BCP-47."""
Side = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Finite = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
Scale = Annotated[float, msgspec.Meta(ge=1e-6, le=1e6)]


class ImageInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pictures that a model reads, and the grid of cells that its decoder attends to."""

    height: Side
    """In pixels; pictures are stretched to this size, so that the grid covers all of them."""
    width: Side
    mean: tuple[Finite, Finite, Finite]
    """Of red, green and blue, taken from values that go from 0 to 1."""
    std: tuple[Scale, Scale, Scale]
    """What the values are then divided by."""
    grid: tuple[Side, Side]
    """Rows and columns of cells, each as large as the others."""

    def __post_init__(self) -> None:
        rows, columns = self.grid
        if rows > self.height or columns > self.width:
            raise ValueError(f"image: a grid of {rows} x {columns} cells has more cells than the picture has pixels")

    def check(
        self, caption_tags: Mapping[str, int], target_size: int, max_source_tokens: int, max_target_tokens: int
    ) -> None:
        """Compare with what else the manifest says.

        Raises:
            ValueError: it does not fit.
        """
        tags = list(caption_tags.values())
        if not tags or len(set(tags)) < len(tags) or max(tags) >= target_size:
            raise ValueError("caption_languages: at least one, each with a tag of its own in the target vocabulary")
        if max_source_tokens != self.num_cells:
            raise ValueError(f"limits.max_source_tokens must be the {self.num_cells} cells of image.grid")
        if max_target_tokens < 2:
            raise ValueError("limits.max_target_tokens must hold the tag of the language and more")

    @property
    def num_cells(self) -> int:
        """How long a picture is for the decoder: rows times columns."""
        return self.grid[0] * self.grid[1]

    def normalized(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[Any]:
        """What the encoder reads.

        Args:
            pixels: N pictures (H, W, 3), red, green and blue.

        Returns:
            (N, 3, H, W) in float32.
        """
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values = (np.stack(pixels).astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
