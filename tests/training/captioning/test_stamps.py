from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.captioning import write_stamps
from training.captioning import stamps
from training.captioning.pictures import to_pixels
from training.captioning.stamps import open_stamp, read_stamps, view
from training.errors import TrainingError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stamps")
    write_stamps(directory)
    return directory


def test_first_sentences_in_both_languages(root: Path) -> None:
    found = {stamp.path: stamp.captions for stamp in read_stamps(root, ("en", "ko"), 12)}
    assert len(found) == 25
    assert found["ball.svg"] == {"en": "A ball.", "ko": "공"}
    assert found["animals/animal03.png"]["ko"] == "짐승 3"
    assert len(read_stamps(root, ("en", "de"), 12)) == 24  # the ball has no German
    assert len(read_stamps(root, ("en", "ko"), 2)) == 1  # of so few words is the ball's alone
    with pytest.raises(TrainingError, match="no pictures with captions in en, fr"):
        read_stamps(root, ("en", "fr"), 12)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("A mobile telephone.  Do you hear what I hear?", "A mobile telephone."),
        ("Rook. Can only move forward.", "Rook."),
        ("A coin ($2.00) called a toonie. (Its name.)", "A coin ($2.00) called a toonie."),
        ("안녕!  반가워요.", "안녕!"),
        ("An inn", "An inn"),
    ],
)
def test_first_sentence(text: str, first: str, tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "one.png")
    (tmp_path / "one.txt").write_text(text, encoding="utf-8")
    assert read_stamps(tmp_path, ("en",), 20)[0].captions == {"en": first}


def test_copies_of_a_picture_are_in_one_split(tmp_path: Path) -> None:
    write_stamps(tmp_path)
    for name in ("png", "txt"):
        for path in (tmp_path / "animals").glob(f"animal*.{name}"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    splits: dict[str, set[str]] = {}
    for stamp in read_stamps(tmp_path, ("en", "ko"), 12):
        splits.setdefault(Path(stamp.path).name, set()).add(stamp.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} >= {"train", "test"}


def test_an_svg_is_drawn_and_transparency_is_white(root: Path) -> None:
    pixels = to_pixels(open_stamp(root / "ball.svg"), 40, 40)
    assert pixels[20, 20].tolist() == [255, 0, 0]
    assert pixels[0, 0].tolist() == [255, 255, 255]
    (root / "broken.svg").write_text("<svg")
    with pytest.raises(TrainingError, match=r"broken\.svg cannot be read"):
        open_stamp(root / "broken.svg")
    (root / "broken.svg").unlink()


def test_the_first_view_is_the_picture_and_letters_are_not_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.new("RGBA", (40, 20), "white")
    picture.paste("black", (0, 0, 20, 20))
    assert view("a.png", picture, 0, np.random.default_rng(0)) is picture
    mirrored: list[bool] = []
    monkeypatch.setattr(stamps.ImageOps, "mirror", lambda image: (mirrored.append(True), image)[1])
    for number in range(20):
        shown = view("symbols/b.png", picture, 1, np.random.default_rng(number))
        assert shown.mode == "RGB"
    assert not mirrored
    for number in range(20):
        view("animals/b.png", picture, 1, np.random.default_rng(number))
    assert 4 < len(mirrored) < 16
