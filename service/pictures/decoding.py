"""The bytes of a PNG or JPEG file to the pixels that a model reads.

Files come from strangers: what they would take is told by the header, and checked before anything is decompressed.
H height, W width.
"""

from __future__ import annotations

import re
import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from service.errors import InvalidRequestError

FORMATS = ("PNG", "JPEG")
"""Pillow knows some dozens more; their decoders are not for strangers."""
MAX_SCANS = 32
"""Of a progressive JPEG, which has ten or so: each goes over all of the picture, and takes a few bytes of the file."""
# Within a scan 0 says that the byte before it was no marker, and D0 to D7 are marks along the way.
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_ALONE, _START_OF_SCAN, _END_OF_PICTURE = (0x01, 0xD8), 0xDA, 0xD9
_ORIENTATION_TAG = 0x0112
# What brings a picture upright that EXIF says a camera turned.
_UPRIGHT: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THE_SIDE = (5, 6, 7, 8)

# Its own limit would only warn, and is no business of other users of the library; ours is checked below.
Image.MAX_IMAGE_PIXELS = None
# It tells of EXIF that is damaged, which is the client's, and not for our standard error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def decode(content: bytes, height: int, width: int, max_pixels: int) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a picture, upright, on white, stretched to `height` and `width`. Blocks.

    Args:
        content: of a file.
        height: H.
        width: W.
        max_pixels: of the picture in the file.

    Raises:
        InvalidRequestError: it is no picture that is taken; names `image` and the limit.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            _check(picture, content, max_pixels)
            return _pixels(picture, height, width)
    except (InvalidRequestError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise _refusal("is neither PNG nor JPEG, or its beginning is damaged") from None
    except Exception as error:  # what Pillow raises at damaged files is not written down
        raise _refusal("is damaged or cut short") from error


def _check(picture: Image.Image, content: bytes, max_pixels: int) -> None:
    """By what the header says."""
    width, height = picture.size
    if width * height > max_pixels:
        raise _refusal(f"{width} x {height} pixels; limit {max_pixels} in all")
    # A JPEG may hold more pictures than the first, as some cameras' do: they are no animation.
    if picture.format == "PNG" and getattr(picture, "is_animated", False):
        raise _refusal("is animated; send a single picture")
    if picture.format != "PNG" and _num_scans(content) > MAX_SCANS:
        raise _refusal(f"has more scans than the limit, {MAX_SCANS}")


def _num_scans(content: bytes) -> int:
    """Of a JPEG's first picture; what comes behind it, as a phone's film does, is nobody's."""
    scans, position = 0, 0
    while scans <= MAX_SCANS and (marker := _MARKER.search(content, position)):
        code, position = marker[1][0], marker.end()
        if code == _END_OF_PICTURE:
            break
        if code not in _ALONE:
            position += max(int.from_bytes(content[position : position + 2]), 2)
        scans += code == _START_OF_SCAN
    return scans


def _pixels(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    picture.load()  # what is damaged is told here, and not where EXIF is forgiven
    orientation = _orientation(picture)
    size = (height, width) if orientation in _ON_THE_SIDE else (width, height)
    stretched = _on_white(_with_8_bits(picture)).resize(size, Image.Resampling.BILINEAR)
    if orientation in _UPRIGHT:
        stretched = stretched.transpose(_UPRIGHT[orientation])
    return np.asarray(stretched, np.uint8)


def _orientation(picture: Image.Image) -> object:
    """What EXIF says; a picture can be seen though what a camera wrote beside it is damaged."""
    try:
        return picture.getexif().get(_ORIENTATION_TAG)
    except Exception:  # see `decode`
        return None


def _with_8_bits(picture: Image.Image) -> Image.Image:
    """Pillow would cut 16 bits of grey off at 255."""
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture) >> 8
    return Image.fromarray(values.clip(0, 255, out=values).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB; where the picture is transparent, white shows through."""
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture)
    return white


def _refusal(description: str) -> InvalidRequestError:
    return InvalidRequestError.of("image", description)
