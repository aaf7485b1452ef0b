"""Files that clients send: what is taken for a picture, what becomes of it, and what is refused before it costs."""

from __future__ import annotations

import asyncio
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from service.bundle.image_input import ImageInput
from service.errors import InvalidRequestError, QueueFullError
from service.pictures import decoder as decoder_module
from service.pictures.decoder import PictureDecoder
from service.pictures.decoding import decode
from service.settings import Settings
from tests.pictures import encoded

COLORS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
PICTURE = Image.fromarray(COLORS)
GREY = Image.fromarray(COLORS[..., 0])
CORNERS = Image.fromarray(np.kron(np.array([[60, 120], [180, 240]], np.uint8), np.ones((16, 16), np.uint8)))


def pixels(content: bytes, height: int = 30, width: int = 40) -> np.ndarray:
    return decode(content, height, width, max_pixels=10_000).astype(int)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raw_png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def white_sheet(number: int) -> bytes:
    return chunk(b"IDAT", zlib.compress(bytes(number)))


def many_scans() -> bytes:
    content = encoded(PICTURE, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * 40 + b"\xff\xd9"


def broken(content: bytes) -> bytes:
    return content[:60] + bytes([content[60] ^ 0xFF]) + content[61:]


def animation() -> bytes:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    return encoded(frames[0], save_all=True, append_images=frames[1:])


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    assert np.array_equal(pixels(encoded(PICTURE)), COLORS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_kind_of_png_becomes_colours(mode: str) -> None:
    picture = PICTURE.convert(mode)
    assert np.array_equal(pixels(encoded(picture)), np.asarray(picture.convert("RGB")))


def test_sixteen_bits_of_grey_are_not_cut_off() -> None:
    deep = Image.fromarray(COLORS[..., 0].astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    assert np.array_equal(pixels(encoded(deep))[..., 1], COLORS[..., 0])


@pytest.mark.parametrize(("mode", "tolerance"), [("RGB", 40), ("L", 40), ("CMYK", 60)])
def test_every_kind_of_jpeg_becomes_colours(mode: str, tolerance: int) -> None:
    smooth = CORNERS.convert(mode)
    found = pixels(encoded(smooth, "JPEG", quality=95), 32, 32)
    assert np.abs(found - np.asarray(smooth.convert("RGB"))).max() < tolerance


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert pixels(encoded(clear)).min() == 255
    half = Image.new("RGBA", (10, 10), (0, 0, 0, 128))
    assert set(pixels(encoded(half)).ravel()) == {127}
    palette = Image.new("P", (10, 10))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    assert pixels(encoded(palette, transparency=0)).min() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_turned_picture_is_turned_back(orientation: int, kind: str) -> None:
    upright = {1: "abcd", 2: "badc", 3: "dcba", 4: "cdab", 5: "acbd", 6: "cadb", 7: "dbca", 8: "bdac"}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = pixels(encoded(CORNERS, kind, exif=exif), 32, 32)[8::16, 8::16, 0].ravel()
    assert np.abs(found - [60 * "_abcd".index(corner) for corner in upright]).max() <= 2


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0"])
def test_a_picture_is_seen_though_its_exif_is_damaged(exif: bytes) -> None:
    assert pixels(encoded(CORNERS, "JPEG", exif=exif), 32, 32)[0, 0, 0] == pytest.approx(60, abs=2)


def test_all_of_a_picture_is_stretched() -> None:
    halves = Image.fromarray(np.repeat(np.array([[0] * 60 + [255] * 60], np.uint8), 10, axis=0))
    found = pixels(encoded(halves), 20, 20)[..., 0]
    assert (found[:, :9] == 0).all()
    assert (found[:, 11:] == 255).all()


def test_of_several_pictures_in_a_jpeg_the_first_is_taken() -> None:
    others = [Image.new("RGB", (8, 8), "blue")]
    found = pixels(encoded(Image.new("RGB", (8, 8), "red"), "MPO", save_all=True, append_images=others), 4, 4)
    assert np.abs(found[0, 0] - [255, 0, 0]).max() < 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"\x00", "is neither PNG nor JPEG"),
        (lambda: encoded(PICTURE, "GIF"), "is neither PNG nor JPEG"),
        (lambda: encoded(PICTURE, "BMP"), "is neither PNG nor JPEG"),
        (lambda: encoded(PICTURE, "TIFF"), "is neither PNG nor JPEG"),
        (lambda: encoded(PICTURE)[:20], "is damaged or cut short"),
        (lambda: raw_png(0, 8, white_sheet(0)), "is neither PNG nor JPEG"),
        (lambda: encoded(PICTURE)[:-200], "is damaged or cut short"),
        (lambda: encoded(PICTURE, "JPEG")[:-300], "is damaged or cut short"),
        (lambda: broken(encoded(PICTURE)), "is damaged or cut short"),
        (animation, "is animated"),
        (many_scans, "more scans than the limit, 32"),
        (lambda: raw_png(101, 100, white_sheet(100)), "101 x 100 pixels; limit 10000 in all"),
        (lambda: raw_png(200_000, 200_000, white_sheet(100)), "200000 x 200000 pixels; limit 10000 in all"),
        (
            lambda: raw_png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7))), white_sheet(200)),
            "is damaged or cut short",
        ),
    ],
)
def test_what_is_no_picture_or_too_much_is_refused(make: Callable[[], bytes], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"image: .*{message}") as raised:
        pixels(make())
    assert [violation.field for violation in raised.value.violations] == ["image"]


def test_what_follows_a_jpeg_counts_no_scans() -> None:
    picture = encoded(PICTURE, "JPEG", progressive=True)
    film = b"\xff\xda\x00\x02" * 100
    assert np.array_equal(pixels(picture + film), pixels(picture))
    thumbnail = b"\xff\xe2" + (2 + len(film)).to_bytes(2, "big") + film  # in an application's segment
    assert np.array_equal(pixels(picture[:2] + thumbnail + picture[2:]), pixels(picture))


def test_normalised_pixels_are_those_of_the_formula() -> None:
    image = ImageInput(height=30, width=40, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), grid=(3, 4))
    found = image.normalized([COLORS, COLORS[::-1]])
    assert found.dtype == np.float32
    assert found.shape == (2, 3, 30, 40)
    assert found[0, 2, 7, 9] == pytest.approx((COLORS[7, 9, 2] / 255 - 0.3) / 0.3, abs=1e-6)
    assert found[1, 0, 0, 0] == pytest.approx((COLORS[29, 0, 0] / 255 - 0.5) / 0.2, abs=1e-6)
    assert image.num_cells == 12


async def test_more_pictures_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()

    def slow(*arguments: object) -> np.ndarray:
        going.wait(20)
        return COLORS

    monkeypatch.setattr(decoder_module, "decode", slow)
    decoder = PictureDecoder(Settings(max_waiting=3))
    tasks = [asyncio.create_task(decoder.decode(b"x", 30, 40)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFullError):
        await decoder.decode(b"x", 30, 40)
    tasks[2].cancel()
    await asyncio.gather(tasks[2], return_exceptions=True)
    going.set()
    assert np.array_equal(await decoder.decode(b"x", 30, 40), COLORS)
    await asyncio.gather(*tasks[:2])
    decoder.stop()
