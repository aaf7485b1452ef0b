"""Pictures as the model sees them: on white, stretched to its size, so that its grid covers the whole picture.

H × W pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.captioning.efficientnet import MEAN, STD

Pixels = NDArray[np.uint8]


def on_white(picture: Image.Image) -> Image.Image:
    """RGB; where the picture is transparent, white shows through."""
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture)
    return white


def to_pixels(picture: Image.Image, height: int, width: int) -> Pixels:
    """(H, W, 3) of any picture."""
    stretched = on_white(picture).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(stretched, np.uint8)


def normalised(pixels: Pixels) -> Tensor:
    """(N, H, W, 3) in 0 … 255 -> (N, 3, H, W) float32, as the encoder reads them."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return ((values - MEAN) / STD).contiguous()
