"""Files of pictures: whole ones, and some that are not what they seem."""

from __future__ import annotations

from io import BytesIO
from random import Random
from zlib import crc32

from PIL import Image


def pictures() -> tuple[bytes, ...]:
    """Mostly good ones; the same every time."""
    whole = (
        _file(_noise("RGB", 1), "PNG"),
        _file(_noise("RGB", 2), "JPEG"),
        _file(_noise("L", 3), "JPEG", progressive=True),
        _file(_noise("RGBA", 4), "PNG"),
        _file(_noise("P", 5), "PNG", transparency=0),
        _file(_noise("CMYK", 6), "JPEG"),
    )
    cut = whole[0][:-30]
    header = b"IHDR" + b"\x00\x03\x00\x00" * 2 + whole[0][24:29]  # 196608 x 196608
    huge = whole[0][:12] + header + crc32(header).to_bytes(4) + whole[0][33:]
    frames = [_noise("RGB", seed) for seed in (7, 8)]
    animated = _file(frames[0], "PNG", save_all=True, append_images=frames[1:])
    return (*whole, cut, huge, animated)


def _noise(mode: str, seed: int) -> Image.Image:
    size, random = (13, 9), Random(seed)  # noqa: S311 - to be repeated, not to be secret
    return Image.frombytes("RGB", size, random.randbytes(3 * size[0] * size[1])).convert(mode)


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()
